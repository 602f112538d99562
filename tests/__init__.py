import os

# Triton decides when it is first imported whether its kernels run in an interpreter, which needs no GPU.
on_gpu = os.environ.get("FRACTALGAN_TEST_DEVICE") == "cuda"
os.environ["TRITON_INTERPRET"] = "0" if on_gpu else "1"
