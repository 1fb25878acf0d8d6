"""The codes of least output error, with a proof: closest-vector search inside a box.

A row of codes is proven where the search ends: no other codes on the grid have a smaller error.

For one row, with t the real-valued codes and H in units of codes, the error of the codes z is
f(z) = (z - t)ᵀH(z - t), over integers 0 ≤ z ≤ top. A code that H couples with no other, as that of
an input that never varies, is best where it is nearest. Of the rest, the search

1.  relaxes: x minimises f over real numbers. For every z, with g = 2H(x - t),
    f(z) = f(x) + g·(z - x) + (z - x)ᵀH(z - x), and in the box g·(z - x) ≥ 0 since x is a minimum;
2.  guesses: the best of nearest and gptq, mended one direction at a time, bounds f from above;
3.  fixes: where x_i is on the boundary and |g_i| alone exceeds what is left between x and the
    guess, z_i = x_i in every better solution. So are codes that others outweigh by decades: what
    they could change all together counts against the bound;
4.  reduces: a short basis U of the coordinates that are left, z = Uy, lest correlated inputs make
    the next step long;
5.  enumerates y, depth first; and should that take too long, as it can where the box is small and
    U is skew to it, or be too coarse, as it can where H is nearly singular, z itself.

It ends with the optimum, proven, or out of nodes with a lower bound on it.
"""
