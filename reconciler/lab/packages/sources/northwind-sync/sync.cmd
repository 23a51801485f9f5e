@echo off
echo Northwind Sync @VERSION@
