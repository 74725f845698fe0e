"""Python's own HTTP client as a program. Usage: http_driver.py URL GET | URL POST TYPE <body
Prints one JSON object: status, headers, body.      SPDX-License-Identifier: MIT
"""
import http.client
import json
import sys
from urllib.parse import urlsplit

url, method = urlsplit(sys.argv[1]), sys.argv[2]
connection = http.client.HTTPConnection(url.netloc, timeout=10)
target = url.path + (f"?{url.query}" if url.query else "")
if method == "POST":
    connection.request(method, target, sys.stdin.buffer.read(), {"Content-Type": sys.argv[3]})
else:
    connection.request(method, target)
answer = connection.getresponse()
body = answer.read().decode()
headers = {name.lower(): value for name, value in answer.getheaders()}
print(json.dumps({"status": answer.status, "headers": headers, "body": body}))
