#!/bin/sh
[ "$1" = --list ] || exit 1
cat <<'END'
{
  "databases": {"hosts": ["host1.example.com", "host2.example.com"], "vars": {"a": true, "n": 5, "f": 1.5, "nothing": null}},
  "webservers": {"hosts": ["host2.example.com", "host3.example.com"]},
  "atlanta": {"hosts": ["host1.example.com", "host4.example.com", "host5.example.com"], "vars": {"b": false}, "children": ["marietta", "5points"]},
  "marietta": {"hosts": ["host6.example.com"]},
  "5points": {"hosts": ["host7.example.com"]},
  "_meta": {"hostvars": {"host1.example.com": {"asdf": 1234, "ansible_port": "2222"}, "host5.example.com": {"list": [1, {"a": "b"}]}, "unknown": {"x": 1}}}
}
END
