"""Operations on tensors as functions: what a name of Keras 3 or of TensorFlow computes.

The functions have Keras 3's parameters; `tensorflow` says how TensorFlow calls the same ones.
Nothing here knows of layers, masks or files.
"""
