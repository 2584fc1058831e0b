#!/bin/sh
case $1 in
--list) echo '{"web": {"hosts": ["w1", "w2", "w3"], "vars": {"x": "group"}}, "all": {"children": ["web", "lone"]}, "lone": {"hosts": ["l1"]}}' ;;
--host) case $2 in
    w1) echo '{"x": "own", "ansible_host": "10.0.0.1"}' ;;
    w2) echo '{}' ;;
    w3) ;;
    *) echo "{\"name\": \"$2\"}" ;;
    esac ;;
esac
