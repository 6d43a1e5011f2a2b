"""Points in the plane for vectors of many features, so that those that are alike lie together.

t-SNE by scikit-learn (van der Maaten and Hinton, 2008, https://www.jmlr.org/papers/v9/vandermaaten08a.html), started
from the first two principal components as Kobak and Berens (2019, https://doi.org/10.1038/s41467-019-13056-x) advise;
UMAP (McInnes et al., 2018, https://arxiv.org/abs/1802.03426) by umap-learn where it is asked for; and the principal
components themselves where there are fewer than ten points, of which neither makes a map.
"""

from typing import Literal

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

Method = Literal["tsne", "umap", "pca"]
FEWEST = 10  # points below which there is no neighbourhood to keep
WIDE = 30  # principal components that distances are measured in: to more, t-SNE takes longer and says the same

STEPS = 350  # of t-SNE's descent, which some hundreds of points need no more of


def plane(vectors: np.ndarray, method: Method = "tsne", seed: int = 0) -> np.ndarray:
    """(N, D) -> (N, 2), the same for a seed. There have to be two vectors or more."""
    vectors = vectors.astype(np.float64) - vectors.mean(axis=0)
    if method == "pca" or chosen(method, len(vectors)) == "pca" or np.allclose(vectors, 0.0):
        return principal(vectors, 2, seed)
    if method == "umap":
        from umap import UMAP

        return np.asarray(
            UMAP(n_neighbors=min(15, len(vectors) - 1), random_state=seed, n_jobs=1).fit_transform(vectors)
        )
    narrow = vectors if vectors.shape[1] <= WIDE else principal(vectors, WIDE, seed)
    narrow = narrow / np.std(narrow[:, 0]).clip(min=1e-12)
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, init="pca", max_iter=STEPS, random_state=seed, n_jobs=1)
    return np.asarray(tsne.fit_transform(narrow))


def chosen(method: Method, points: int) -> Method:
    """
    >>> chosen("tsne", 9), chosen("tsne", 10)
    ('pca', 'tsne')
    """
    return "pca" if points < FEWEST else method


def principal(vectors: np.ndarray, number: int, seed: int) -> np.ndarray:
    """(N, D) -> (N, number); zeros beyond as many components as there are."""
    kept = min(number, *vectors.shape)
    found = np.zeros((len(vectors), number))
    if not np.allclose(vectors, 0.0):
        found[:, :kept] = PCA(kept, random_state=seed).fit_transform(vectors)
    return found
