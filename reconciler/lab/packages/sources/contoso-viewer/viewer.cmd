@echo off
echo Contoso Viewer @VERSION@
