"""Replica-steps a second of the same models in PyTorch on one thread, for bench_compute to print beside its own.

Prints one line a model: its name and the best rate of several rounds. Needs Debian's python3-torch; exits with status
77 where it is not installed. A step is what bench_compute's is: forward, loss, backward and an update with momentum
.9 on a batch of 32 images of 28 x 28."""

import os
import sys
import time

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # else its threads wait in a busy loop beside the one that computes

try:
    import torch
except ImportError:
    sys.exit(77)

BATCH, SIDE, CLASSES, ROUNDS = 32, 28, 10, 5


def cnn():
    """train/model_cnn.c: 20,522 parameters."""
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 5), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Conv2d(8, 16, 5), torch.nn.ReLU(), torch.nn.MaxPool2d(2),
        torch.nn.Flatten(), torch.nn.Linear(256, 64), torch.nn.ReLU(), torch.nn.Linear(64, CLASSES))


def mlp():
    """train/model_mlp.c with its default layers: 784-128-10."""
    return torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(SIDE * SIDE, 128), torch.nn.ReLU(), torch.nn.Linear(128, CLASSES))


def steps_a_second(model, steps):
    x, labels = torch.randn(BATCH, 1, SIDE, SIDE), torch.randint(CLASSES, (BATCH,))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    best = 0.0
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(steps):
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(model(x), labels).backward()
            optimiser.step()
        best = max(best, steps / (time.perf_counter() - start))
    return best


torch.set_num_threads(1)
print(f"version {torch.__version__}")
for name, build, steps in (("cnn", cnn, 200), ("mlp", mlp, 600)):
    model = build()
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{name} {parameters} {steps_a_second(model, steps):.1f}")
