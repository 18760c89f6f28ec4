#!/bin/bash
# Status 0 when HAProxy answers on its own page; the image has neither curl nor Python.
set -euo pipefail
exec 3<>/dev/tcp/127.0.0.1/8404
printf 'GET /health HTTP/1.0\r\n\r\n' >&3
read -r -t 3 status <&3
[[ $status == *" 200 "* ]]
