@echo off
echo Contoso Agent @VERSION@
