"""Makes untrusted text safe to show: one function for each place where people read it.

Text from a host, a forge, a feed or a commit is untrusted. Whatever writes such text for people passes it through
the function of its target:

- `terminal.for_terminal`: terminals, logs, mail bodies and every other plain text;
- `markdown.for_markdown`, `markdown.as_block`: comments and descriptions at forges, commit messages;
- `cards.for_card`: the Markdown of a Teams card;
- `html.for_html`, `html.link`: web pages;
- `mail.for_mail_header`: subjects and other headers of mail;
- `json_text.as_json`: documents for programs, which hold the exact text.
"""
