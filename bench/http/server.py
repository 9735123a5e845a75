"""An API that has ROWS records on pages of SIZE, made once and kept: server.py ROWS SIZE. Prints its port."""
import http.server
import json
import sys

rows, size = int(sys.argv[1]), int(sys.argv[2])
pages = []
for first in range(0, rows, size):
    data = [{"id": i, "customer": f"CUST{i % 9973:06}", "amount": round(i * 0.37 % 5000, 2), "status": ("open", "paid", "sent")[i % 3],
             "updated_at": f"2024-01-{1 + i % 28:02}T{i % 24:02}:00:00Z", "note": "as agreed by telephone " * (i % 4)} for i in range(first, min(first + size, rows))]
    pages.append(json.dumps({"data": data, "total": (rows + size - 1) // size}).encode())


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 20

    def do_GET(self):
        page = int(self.path.rpartition("page=")[2].partition("&")[0])
        body = pages[page - 1]
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
