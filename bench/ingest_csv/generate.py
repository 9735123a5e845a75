"""Writes a CSV of clean orders, the same for the same arguments: generate.py ROWS FILE."""
import random
import sys

HEADER = "order_id,customer_id,customer_name,email,order_date,updated_at,total_amount,quantity,status,payment_method\n"


def main():
    rows, path = int(sys.argv[1]), sys.argv[2]
    rng = random.Random(1)
    names = [f"Customer {i} of {c}" for i in range(500) for c in ("Berlin", "London", "Lyon", "Porto")]
    status = ["completed", "pending", "cancelled"]
    payment = ["card", "paypal", "invoice", "gift card"]
    with open(path, "w") as out:
        out.write(HEADER)
        for i in range(rows):
            customer = rng.randrange(1_000_000)
            day = f"20{rng.randrange(20, 26)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
            time = f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02}"
            fields = [f"ORD{i:09}", str(customer), names[customer % len(names)], f"c{customer}@example.com", day, f"{day}T{time}Z",
                      f"{rng.randrange(1, 100000) / 100:.2f}", str(rng.randrange(1, 20)), rng.choice(status), rng.choice(payment)]
            out.write(",".join(fields) + "\n")


main()
