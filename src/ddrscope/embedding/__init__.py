"""Gram matrices of features, PCA from a Gram matrix, and t-SNE planes that new points can be placed on."""
