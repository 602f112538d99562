import os

# Tests need no GPU: Triton runs its kernels in an interpreter, if told so before it is first imported.
os.environ["TRITON_INTERPRET"] = "1"
