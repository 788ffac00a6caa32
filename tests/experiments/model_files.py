"""Reads and writes safetensors with nothing but the format's description, and takes one step of softmax regression in
plain Python: what others would do to check the program's gradients.

    python3 model_files.py make TABLE.csv INIT.safetensors
    python3 model_files.py check TABLE.csv INIT.safetensors STEPPED.safetensors LEARNING_RATE
"""
import json
import math
import random
import struct
import sys

FEATURES, CLASSES, SAMPLES, TEST_EVERY = 6, 3, 60, 4


def write(path, tensors):
    header, values = {}, b""
    for name, (shape, data) in tensors.items():
        packed = struct.pack("<%df" % len(data), *data)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [len(values), len(values) + len(packed)]}
        values += packed
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + values)


def read(path):
    with open(path, "rb") as file:
        content = file.read()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8:8 + length])
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        assert entry["dtype"] == "F32"
        data = content[8 + length + begin:8 + length + end]
        tensors[name] = (entry["shape"], struct.unpack("<%df" % (len(data) // 4), data))
    return tensors


def make(table, init):
    rng = random.Random(1)
    with open(table, "w") as file:
        for i in range(SAMPLES):
            label = i % CLASSES
            row = [min(255, max(0, int(rng.gauss(90 + 60 * (c % CLASSES == label), 40)))) for c in range(FEATURES)]
            row[0] = (0, 255)[i] if i < 2 else row[0]  # the range of the levels is that of the values
            file.write(",".join(map(str, row)) + ",%d\n" % label)
    weights = [rng.gauss(0, .5) for _ in range(CLASSES * FEATURES)]
    write(init, {"dense1.bias": ([CLASSES], [.25, -.5, 0.]), "dense1.weight": ([CLASSES, FEATURES], weights)})


def check(table, init, stepped, rate):
    rows = [list(map(int, line.split(","))) for line in open(table)]
    rows = [row for i, row in enumerate(rows) if (i + 1) % TEST_EVERY]
    pixels = [v / 255 for row in rows for v in row[:-1]]
    mean = sum(pixels) / len(pixels)
    deviation = math.sqrt(sum((v - mean) ** 2 for v in pixels) / len(pixels))
    before, after = read(init), read(stepped)
    assert list(after) == ["dense1.weight", "dense1.bias"], list(after)
    assert after["dense1.weight"][0] == [CLASSES, FEATURES] and after["dense1.bias"][0] == [CLASSES]
    w, b = before["dense1.weight"][1], before["dense1.bias"][1]
    dw, db = [0.] * len(w), [0.] * CLASSES
    for row in rows:
        x, label = [(v / 255 - mean) / deviation for v in row[:-1]], row[-1]
        z = [b[k] + sum(w[k * FEATURES + c] * x[c] for c in range(FEATURES)) for k in range(CLASSES)]
        e = [math.exp(v - max(z)) for v in z]
        for k in range(CLASSES):
            d = (e[k] / sum(e) - (k == label)) / len(rows)
            db[k] += d
            for c in range(FEATURES):
                dw[k * FEATURES + c] += d * x[c]
    for name, gradient in (("dense1.weight", dw), ("dense1.bias", db)):
        for p, g in enumerate(gradient):
            own = (before[name][1][p] - after[name][1][p]) / rate
            # an f32 near 2 is off by 1.2e-7, the difference of two over the rate of 1 as much again
            assert abs(own - g) < 1e-6, "%s[%d]: gradient %.8g, in plain Python %.8g" % (name, p, own, g)
    assert max(map(abs, dw)) > .01  # there was something to compare


if __name__ == "__main__":
    if sys.argv[1] == "make":
        make(*sys.argv[2:])
    else:
        check(*sys.argv[2:5], float(sys.argv[5]))
