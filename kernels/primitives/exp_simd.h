#pragma once

namespace kernels {

// e^x within 2 units in the last place: x = n ln 2 + r with |r| <= ln 2 / 2, e^x = 2^n e^r, e^r by the degree-6 minimax
// polynomial of the Cephes library (expf). Below -87.3 the result is about 1e-38, above 88 it is about 1e38, NaN stays.
template <class S>
inline typename S::F32 Exp(typename S::F32 x) {
  // The operand order makes a NaN in x survive: the second operand is returned when either is NaN.
  x = S::Max(S::Set1(-87.3F), S::Min(S::Set1(88.0F), x));
  const auto n = S::Round(S::Mul(x, S::Set1(1.44269504088896341F)));
  auto r = S::Fma(n, S::Set1(-0.693359375F), x);  // ln 2 in two parts keeps the bits of r
  r = S::Fma(n, S::Set1(2.12194440e-4F), r);
  auto p = S::Set1(1.9875691500e-4F);
  p = S::Fma(p, r, S::Set1(1.3981999507e-3F));
  p = S::Fma(p, r, S::Set1(8.3334519073e-3F));
  p = S::Fma(p, r, S::Set1(4.1665795894e-2F));
  p = S::Fma(p, r, S::Set1(1.6666665459e-1F));
  p = S::Fma(p, r, S::Set1(5.0000001201e-1F));
  p = S::Fma(p, S::Mul(r, r), S::Add(r, S::Set1(1.0F)));
  return S::Mul(p, S::Pow2(n));
}

// 2^x for x <= 0 within 2 units in the last place, for the softmax, whose scores take log2(e) into their scale:
// x = n + r with |r| <= 1/2, 2^r by a polynomial through 2^r at five Chebyshev points, exact at 0. Below -126 the
// result is about 1e-38, NaN stays.
template <class S>
inline typename S::F32 Exp2(typename S::F32 x) {
  x = S::Max(S::Set1(-126.0F), x);  // the second operand is returned when either is NaN
  const auto n = S::Round(x), r = S::Sub(x, n);
  auto p = S::Set1(1.338130212e-3F);
  p = S::Fma(p, r, S::Set1(9.666368365e-3F));
  p = S::Fma(p, r, S::Set1(5.550381169e-2F));
  p = S::Fma(p, r, S::Set1(0.2402234972F));
  p = S::Fma(p, r, S::Set1(0.6931471825F));
  p = S::Fma(p, r, S::Set1(1.0F));
  return S::Mul(p, S::Pow2(n));
}

}  // namespace kernels
