"""The singular value decomposition on TPUs: kernels that work on a matrix at a time in vector memory (Pallas)."""
