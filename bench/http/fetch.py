"""All pages taken and dropped, one behind the other on one connection: fetch.py PORT PAGES. Prints wall and CPU seconds."""
import http.client
import sys
import time

port, pages = int(sys.argv[1]), int(sys.argv[2])
start, cpu = time.monotonic(), time.process_time()
connection = http.client.HTTPConnection("127.0.0.1", port)
for page in range(1, pages + 1):
    connection.request("GET", f"/orders?page={page}")
    connection.getresponse().read()
print(time.monotonic() - start, time.process_time() - cpu)
