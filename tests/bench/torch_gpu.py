#!/usr/bin/env python3
"""torch_gpu.py [SMALL]: what PyTorch does of the same work on the same GPU, for bench_gpu's lines.

N models of one kind, each with its own parameters, momentum and batch of 32: a step of SGD with momentum 0.9. Once
through torch.func (grad of a functional call, vmap over models), once as a loop over models. TF32 is off, as in
bench_gpu.
Exit status: 0 done, or nothing to do (no PyTorch, no GPU), which is said.
"""
import sys
import time

try:
    import torch
    from torch import nn
    from torch.func import functional_call, grad, stack_module_state, vmap
except ImportError as error:
    print(f"torch: not here ({error})")
    sys.exit(0)
if not torch.cuda.is_available():
    print("torch: no CUDA device")
    sys.exit(0)

BATCH, ROUNDS, WARM_UP = 32, 5, 2
torch.backends.cuda.matmul.allow_tf32 = False
torch.backends.cudnn.allow_tf32 = False


def mlp():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


def cnn():
    return nn.Sequential(nn.Conv2d(1, 8, 5), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Conv2d(8, 16, 5), nn.ReLU(), nn.MaxPool2d(2),
                         nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 10))


def median_s(body):
    samples = []
    for round_ in range(-WARM_UP, ROUNDS):
        torch.cuda.synchronize()
        start = time.perf_counter()
        body()
        torch.cuda.synchronize()
        if round_ >= 0:
            samples.append(time.perf_counter() - start)
    return sorted(samples)[ROUNDS // 2]


def with_vmap(make, models):
    skeleton = make().to("meta")
    params, buffers = stack_module_state([make().cuda() for _ in range(models)])
    params = {name: p.detach() for name, p in params.items()}
    momentum = {name: torch.zeros_like(p) for name, p in params.items()}
    x = torch.randn(models, BATCH, 1, 28, 28, device="cuda")
    labels = torch.randint(0, 10, (models, BATCH), device="cuda")

    def loss(p, b, batch, target):
        return nn.functional.cross_entropy(functional_call(skeleton, (p, b), (batch,)), target)

    gradients = vmap(grad(loss))

    def step():
        g = gradients(params, buffers, x, labels)
        with torch.no_grad():
            for name, p in params.items():
                momentum[name].mul_(0.9).add_(g[name])
                p.sub_(momentum[name], alpha=0.01)

    return median_s(step)


def with_loop(make, models):
    stack = [make().cuda() for _ in range(models)]
    optimisers = [torch.optim.SGD(m.parameters(), lr=0.01, momentum=0.9) for m in stack]
    x = torch.randn(models, BATCH, 1, 28, 28, device="cuda")
    labels = torch.randint(0, 10, (models, BATCH), device="cuda")

    def step():
        for i, m in enumerate(stack):
            optimisers[i].zero_grad(set_to_none=True)
            nn.functional.cross_entropy(m(x[i]), labels[i]).backward()
            optimisers[i].step()

    return median_s(step)


def report(name, how, models, body):
    try:
        seconds = body()
        print(f"torch {name}: {how}, {models} replicas, {1e3 * seconds:.3f} ms a round, "
              f"{models / seconds:.0f} replica-steps/s",
              flush=True)
    except Exception as error:  # out of memory, an operation that vmap has no rule for: said, and the next one tried
        print(f"torch {name}: {how}, {models} replicas: {type(error).__name__}: {str(error).splitlines()[0]}",
              flush=True)
        torch.cuda.empty_cache()


part = 128 if len(sys.argv) > 1 else 1
print(f"torch {torch.__version__} on {torch.cuda.get_device_name(0)}, batch {BATCH}, TF32 off")
report("cnn", "vmap", 1024 // part, lambda: with_vmap(cnn, 1024 // part))
report("mlp", "vmap", 4096 // part, lambda: with_vmap(mlp, 4096 // part))
report("cnn", "loop", 64 // part + 1, lambda: with_loop(cnn, 64 // part + 1))
report("mlp", "loop", 64 // part + 1, lambda: with_loop(mlp, 64 // part + 1))
