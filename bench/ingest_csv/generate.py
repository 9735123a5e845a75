"""Writes a CSV of orders, the same for the same arguments: generate.py ROWS FILE [SHARE_OF_BAD_ROWS]. A bad row has a date that does
not exist, an amount that is no number, or too few fields."""
import random
import sys

HEADER = "order_id,customer_id,customer_name,email,order_date,updated_at,total_amount,quantity,status,payment_method\n"


def spoil(rng, fields):
    kind = rng.randrange(3)
    if kind == 0:
        fields[4] = "2024-13-45"
    elif kind == 1:
        fields[6] = "unknown"
    else:
        del fields[7:]


def main():
    rows, path = int(sys.argv[1]), sys.argv[2]
    bad = float(sys.argv[3]) if len(sys.argv) > 3 else 0.0
    rng, dirt = random.Random(1), random.Random(2)
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
            if bad and dirt.random() < bad:
                spoil(dirt, fields)
            out.write(",".join(fields) + "\n")


main()
