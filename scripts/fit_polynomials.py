#!/usr/bin/env python3
"""Writes src/kernels/cpu/polynomials.h: the coefficients of the elementwise functions.

Each polynomial interpolates its function at Chebyshev nodes in 160 digits, which is within a factor of about two of the
best one of its degree, and is then rounded coefficient by coefficient. The error that is left, relative to the function
that is fitted, is printed beside each. Needs mpmath.
"""
import sys

from mpmath import (asin, atan, cos, digamma, erf, erfc, exp, expm1, findroot, log, loggamma, mp, mpf, nstr, pi, polyval,
                    sin, sqrt, tanh)

mp.dps = 160


def interpolate(f, low, high, degree):
    """Monomial coefficients, lowest first, of the interpolant of f at the Chebyshev nodes of [low, high]."""
    n = degree + 1
    nodes = [cos(pi * (2 * i + 1) / (2 * n)) for i in range(n)]
    mid, half = (mpf(low) + high) / 2, (mpf(high) - low) / 2
    values = [f(mid + half * t) for t in nodes]
    # Newton's form is exact enough in 160 digits.
    xs = [mid + half * t for t in nodes]
    table = list(values)
    for level in range(1, n):
        for i in range(n - 1, level - 1, -1):
            table[i] = (table[i] - table[i - 1]) / (xs[i] - xs[i - level])
    result = [mpf(0)] * n
    for i in range(n - 1, -1, -1):
        shifted = [mpf(0)] + result[:-1]
        result = [s - xs[i] * r for s, r in zip(shifted, result)]
        result[0] += table[i]
    return result


def rounded(c, bits):
    mp.prec, saved = bits, mp.prec
    c = +c
    mp.prec = saved
    return c


def hexadecimal(c):
    return float(c).hex()


def emit(out, name, note, f, low, high, degree, single=False):
    coefficients = [rounded(c, 24 if single else 53) for c in interpolate(f, low, high, degree)]
    worst = mpf(0)
    for i in range(301):
        x = mpf(low) + (mpf(high) - low) * i / 300
        x += (mpf(high) - low) * mpf(10) ** -30 * (1 if i < 150 else -1)
        value = f(x)
        worst = max(worst, abs(polyval(coefficients[::-1], x) / value - 1))
    print(f"{name}: degree {degree}, relative error 2^{nstr(log(worst, 2), 4)}", file=sys.stderr)
    kind = "float" if single else "double"
    out.append(f"/// {note} Relative error 2^{nstr(log(worst, 2), 4)}.")
    suffix = "f" if single else ""
    body = ", ".join(hexadecimal(c) + suffix for c in coefficients)
    out.append(f"inline constexpr {kind} {name}[] = {{{body}}};")


def main(path):
    out = ["// The coefficients of the elementwise functions, lowest power first. Written by scripts/fit_polynomials.py.",
           "#pragma once", "", "#include <cstdint>", "", "namespace pellucid::kernels {", ""]
    r = log(2) / 2 + mpf(10) ** -4
    z_log = ((sqrt(2) - 1) / (sqrt(2) + 1)) ** 2 + mpf(10) ** -6
    quarter = (pi / 4 + mpf(10) ** -5) ** 2
    tan8 = (sqrt(2) - 1 + mpf(10) ** -6) ** 2
    root = lambda z: sqrt(z)

    def exp_tail(x):
        return (exp(x) - 1 - x) / x**2 if abs(x) > mpf(10) ** -40 else mpf(1) / 2 + x / 6

    emit(out, "kExp", "(exp(r) - 1 - r) / r^2 on |r| <= log(2) / 2.", exp_tail, -r, r, 10)
    emit(out, "kExpNarrow", "The same for float32 results.", exp_tail, -r, r, 5)
    emit(out, "kLog", "(2 atanh(s) - 2 s) / s^3, s^2 on [0, 0.0295].",
         lambda z: (log((1 + root(z)) / (1 - root(z))) - 2 * root(z)) / root(z) ** 3, 0, z_log, 7)
    emit(out, "kLogNarrow", "The same for float32 results.",
         lambda z: (log((1 + root(z)) / (1 - root(z))) - 2 * root(z)) / root(z) ** 3, 0, z_log, 3)
    # In float32 itself.
    emit(out, "kExp32", "The same in float32.", exp_tail, -r, r, 5, single=True)
    emit(out, "kLog32", "(log(1 + f) - f + f^2 / 2) / f^3 on [sqrt(1/2) - 1, sqrt(2) - 1].",
         lambda f: (log(1 + f) - f + f**2 / 2) / f**3 if abs(f) > mpf(10) ** -30 else mpf(1) / 3 - f / 4,
         sqrt(mpf(1) / 2) - 1, sqrt(2) - 1, 8, single=True)
    emit(out, "kTanh32", "(tanh(x) - x) / x^3, x^2 on [0, 0.36].", lambda z: (tanh(root(z)) - root(z)) / root(z) ** 3, 0,
         mpf("0.36"), 5, single=True)
    emit(out, "kLogTail", "(2 atanh(s) - 2 s - 2 s^3 / 3) / s^5, s^2 on [0, 0.0295].",
         lambda z: (log((1 + root(z)) / (1 - root(z))) - 2 * root(z) - 2 * root(z) ** 3 / 3) / root(z) ** 5, 0, z_log, 7)
    emit(out, "kSin", "(sin(r) - r) / r^3, r^2 on [0, (pi/4)^2].", lambda z: (sin(root(z)) - root(z)) / root(z) ** 3, 0,
         quarter, 6)
    emit(out, "kCos", "(cos(r) - 1 + r^2 / 2) / r^4, r^2 on [0, (pi/4)^2].",
         lambda z: (cos(root(z)) - 1 + z / 2) / z**2, 0, quarter, 6)
    emit(out, "kSinNarrow", "The same for float32 results.", lambda z: (sin(root(z)) - root(z)) / root(z) ** 3, 0, quarter, 3)
    emit(out, "kCosNarrow", "The same for float32 results.", lambda z: (cos(root(z)) - 1 + z / 2) / z**2, 0, quarter, 3)
    # In float32 itself; subtracting multiples of pi / 2 leaves a little more than a quarter.
    wider = (pi / 4 + mpf("0.003")) ** 2
    emit(out, "kSin32", "(sin(r) - r) / r^3, r^2 on [0, (pi/4 + 0.003)^2].",
         lambda z: (sin(root(z)) - root(z)) / root(z) ** 3, 0, wider, 2, single=True)
    emit(out, "kCos32", "(cos(r) - 1 + r^2 / 2) / r^4, r^2 on [0, (pi/4 + 0.003)^2].",
         lambda z: (cos(root(z)) - 1 + z / 2) / z**2, 0, wider, 2, single=True)
    emit(out, "kAsin", "(asin(x) - x) / x^3, x^2 on [0, 1/4].", lambda z: (asin(root(z)) - root(z)) / root(z) ** 3, 0,
         mpf(1) / 4, 12)
    emit(out, "kAtan", "(atan(x) - x) / x^3, x^2 on [0, tan(pi/8)^2].",
         lambda z: (atan(root(z)) - root(z)) / root(z) ** 3, 0, tan8, 11)
    emit(out, "kAsinNarrow", "The same for float32 results.", lambda z: (asin(root(z)) - root(z)) / root(z) ** 3, 0,
         mpf(1) / 4, 7)
    emit(out, "kAtanNarrow", "The same for float32 results.", lambda z: (atan(root(z)) - root(z)) / root(z) ** 3, 0, tan8, 6)
    emit(out, "kErf", "erf(x) / x, x^2 on [0, 1].", lambda z: erf(root(z)) / root(z), 0, 1, 13)

    emit(out, "kErfNarrow", "The same for float32 results.", lambda z: erf(root(z)) / root(z), 0, 1, 7)

    def scaled_erfc(t):
        x = 4 * (1 + t) / (1 - t)
        if x > 1000:
            return (1 + 2 * x) / (x * sqrt(pi)) * (1 - 1 / (2 * x**2) + 3 / (4 * x**4))
        return (1 + 2 * x) * exp(x**2) * erfc(x)

    emit(out, "kErfc", "(1 + 2 x) exp(x^2) erfc(x), (x - 4) / (x + 4) on [-1, 1].", scaled_erfc, -1, 1, 23)
    emit(out, "kErfcNarrow", "The same for float32 results.", scaled_erfc, -1, 1, 14)

    # In float32 itself; 1 - erf is nothing beyond 4.5.
    emit(out, "kErf32", "(erf(x) - x) / x, x^2 on [0, 1]; it passes 0 there.", lambda z: erf(root(z)) / root(z) - 1, 0, 1, 7, single=True)

    def erfc_of_inverse(s):
        t = s + mpf(1) / 2
        x = 3 / t - 3
        return exp(x**2) * erfc(x) / t

    emit(out, "kErfc32", "(1 + x / 3) exp(x^2) erfc(x) for 1 <= x <= 4.5, 1 / (1 + x / 3) - 1/2 on [-0.1, 0.25].",
         erfc_of_inverse, mpf("-0.1"), mpf("0.25"), 6, single=True)
    emit(out, "kLog1pOverX32", "log(1 + x) / x, x - 1/2 on [-1/2, 1/2].",
         lambda s: log(s + mpf(3) / 2) / (s + mpf(1) / 2), mpf(-1) / 2 + mpf(10) ** -30, mpf(1) / 2, 10, single=True)

    # erfinv(x) / x as a function of w = -log(1 - x^2).
    def inverse_erf(w):
        q = exp(-w)  # 1 - x^2
        x = sqrt(-expm1(-w))
        y = sqrt(w) if w > 1 else x * sqrt(pi) / 2
        for _ in range(60):
            # erf(y) - x through the complements, which keeps the digits at both ends.
            delta = (erf(y) - x if w < 1 else (q / (1 + x)) - erfc(y)) * sqrt(pi) / 2 * exp(y * y)
            step = delta / (1 + y * delta)
            y -= step
            if abs(step) < mpf(10) ** -50 * abs(y):
                break
        return y / x

    emit(out, "kErfinvCentre", "erfinv(x) / x, w = -log(1 - x^2), w - 3.125 on [-3.125, 3.125].",
         lambda w: inverse_erf(w + mpf("3.125")), mpf("-3.125") + mpf(10) ** -25, mpf("3.125"), 23)
    emit(out, "kErfinvMiddle", "erfinv(x) / x, sqrt(w) - 3.25 on [-0.75, 0.75].",
         lambda s: inverse_erf((s + mpf("3.25")) ** 2), mpf("-0.751"), mpf("0.751"), 19)
    emit(out, "kErfinvTail", "erfinv(x) / x, sqrt(w) - 5 on [-1.02, 1.02].",
         lambda s: inverse_erf((s + 5) ** 2), mpf("-1.02"), mpf("1.02"), 18)

    def near_two(y):
        y = y if abs(y) > mpf(10) ** -25 else mpf(10) ** -25
        y = y if abs(1 + y) > mpf(10) ** -25 else -1 + mpf(10) ** -25
        return loggamma(2 + y).real / (y * (1 + y))

    emit(out, "kLgamma", "lgamma(2 + y) / (y (1 + y)) on [-1, 1].", near_two, -1, 1, 27)
    emit(out, "kStirling", "x (lgamma(x) - (x - 1/2) log(x) + x - log(2 pi) / 2), 1 / x^2 on [0, 1/64].",
         lambda z: (loggamma(1 / root(z)).real - (1 / root(z) - mpf(1) / 2) * log(1 / root(z)) + 1 / root(z) -
                    log(2 * pi) / 2) / root(z) if z > mpf(10)**-12 else mpf(1) / 12 - z / 360, 0, mpf(1) / 64, 8)

    zero = findroot(digamma, mpf("1.4616321449683623"))
    emit(out, "kDigamma", "digamma(x) / (x - its zero), x - 3/2 on [-1/2, 1/2].",
         lambda t: digamma(t + mpf("1.5")) / (t + mpf("1.5") - zero), -0.5, 0.5, 22)
    emit(out, "kDigammaTail", "x^2 (log(x) - 1 / (2 x) - digamma(x)), 1 / x^2 on [0, 1/100].",
         lambda z: (log(1 / root(z)) - root(z) / 2 - digamma(1 / root(z))) / z if z > mpf(10)**-12
         else mpf(1) / 12 - z / 120, 0, mpf(1) / 100, 8)
    high = rounded(zero, 53)
    out.append("/// The positive zero of digamma, in two parts.")
    out.append(f"inline constexpr double kDigammaZero[] = {{{hexadecimal(high)}, {hexadecimal(zero - high)}}};")
    mp.prec = 1400
    bits = int(mp.floor(2 / pi * mpf(2) ** 1216))
    words = [0] + [(bits >> (1216 - 64 * (i + 1))) & (2**64 - 1) for i in range(19)]
    out.append("/// The bits of 2 / pi after the point, behind a word of zeros.")
    out.append("inline constexpr std::uint64_t kTwoOverPi[] = {" + ", ".join(f"0x{w:016x}" for w in words) + "};")
    out += ["", "}  // namespace pellucid::kernels", ""]
    with open(path, "w") as file:
        file.write("\n".join(out))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "src/kernels/cpu/polynomials.h")
