"""PCA from Gram matrices and t-SNE."""
