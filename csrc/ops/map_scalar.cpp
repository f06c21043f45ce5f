// MapFunctions of floating-point numbers that are rare: loops over the C library's functions and
// over a few of our own, which compute in float64 for either type.
#include <cmath>
#include <limits>

#include "ops/map_table.h"

namespace dlnative {

namespace {

constexpr double kPi = 3.14159265358979323846;

// --- functions of the C library ------------------------------------------------------------------

#define DLNATIVE_UNARY(Name, expression) \
  struct Name {                          \
    template <class T>                   \
    static T apply(T x) {                \
      return expression;                 \
    }                                    \
  };
#define DLNATIVE_BINARY(Name, expression) \
  struct Name {                           \
    template <class T>                    \
    static T apply(T a, T b) {            \
      return expression;                  \
    }                                     \
  };

DLNATIVE_UNARY(Erfc, std::erfc(x))
DLNATIVE_UNARY(Cbrt, std::cbrt(x))
DLNATIVE_BINARY(Power, std::pow(a, b))
DLNATIVE_BINARY(Hypot, std::hypot(a, b))
DLNATIVE_BINARY(Fmod, std::fmod(a, b))

// The remainder with the sign of b, also where it is zero.
struct Mod {
  template <class T>
  static T apply(T a, T b) {
    const T rest = std::fmod(a, b);
    if (rest == 0) return std::copysign(T(0), b);
    return (rest < 0) != (b < 0) ? rest + b : rest;
  }
};

// floor(a / b) of the exact quotient, which a / b may round up to an integer.
struct FloorDivide {
  template <class T>
  static T apply(T a, T b) {
    if (b == 0) return a / b;
    const T rest = std::fmod(a, b);
    T quotient = (a - rest) / b;
    if (rest != 0 && (rest < 0) != (b < 0)) quotient -= 1;
    if (quotient == 0) return std::copysign(T(0), a / b);
    const T down = std::floor(quotient);
    return quotient - down > T(0.5) ? down + 1 : down;  // rounded, an integer or just beside one
  }
};

// --- our own, in float64 -------------------------------------------------------------------------

// coefficients[0] x^(n - 1) + ... + coefficients[n - 1]
template <int kCount>
double polynomial(const double (&coefficients)[kCount], double x) {
  double y = coefficients[0];
  for (int i = 1; i < kCount; ++i) y = y * x + coefficients[i];
  return y;
}

// log |gamma(x)|
struct Lgamma {
  static double of(double x) {
    int sign = 0;  // of gamma(x); std::lgamma leaves it in a global variable
    return lgamma_r(x, &sign);
  }
};

// The derivative of log gamma: the asymptotic series from 10 on, the recurrence
// psi(x) = psi(x + 1) - 1 / x below, and psi(x) = psi(1 - x) - pi / tan(pi x) for x < 0. NaN at the
// poles. The distance to the nearest of them is exact, so it is accurate beside them, too.
struct Digamma {
  static double of(double x) {
    if (x <= 0) {
      const double fraction = x - std::round(x);
      if (!(fraction != 0) || std::isinf(x)) return std::numeric_limits<double>::quiet_NaN();
      return of(1 - x) - kPi / std::tan(kPi * fraction);
    }
    double y = 0;
    for (; x < 10; ++x) y -= 1 / x;
    constexpr double kSeries[] = {-1.0 / 12,  691.0 / 32760, -1.0 / 132, 1.0 / 240,
                                  -1.0 / 252, 1.0 / 120,     -1.0 / 12};  // -B(2k) / 2k
    const double z = 1 / (x * x);
    return y + (std::log(x) - 0.5 / x + z * polynomial(kSeries, z));
  }
};

// By M. J. Wichura's quantile of the normal distribution (algorithm AS 241, 1988).
struct Erfinv {
  static double of(double x) {
    constexpr double kNear[] = {2509.0809287301227, 33430.57558358813, 67265.7709270087,
                                45921.95393154987,  13731.69376550946, 1971.5909503065513,
                                133.14166789178438, 3.3871328727963665};
    constexpr double kNearBelow[] = {
        5226.495278852854, 28729.085735721943, 39307.89580009271, 21213.794301586597,
        5394.196021424751, 687.1870074920579,  42.31333070160091, 1.0};
    constexpr double kFar[] = {0.0007745450142783414, 0.022723844989269184, 0.2417807251774506,
                               1.2704582524523684,    3.6478483247632045,   5.769497221460691,
                               4.630337846156546,     1.4234371107496835};
    constexpr double kFarBelow[] = {
        1.0507500716444169e-09, 0.0005475938084995345, 0.015198666563616457, 0.14810397642748008,
        0.6897673349851,        1.6763848301838038,    2.053191626637759,    1.0};
    constexpr double kTail[] = {
        2.0103343992922881e-07, 2.7115555687434876e-05, 0.0012426609473880784, 0.026532189526576124,
        0.29656057182850487,    1.7848265399172913,     5.463784911164114,     6.657904643501103};
    constexpr double kTailBelow[] = {2.0442631033899397e-15, 1.421511758316446e-07,
                                     1.8463183175100548e-05, 0.0007868691311456133,
                                     0.014875361290850615,   0.1369298809227358,
                                     0.599832206555888,      1.0};
    constexpr double kSqrtHalf = 0.70710678118654752440;
    const double a = std::abs(x);
    if (!(a < 1)) return a == 1 ? x / 0.0 : std::numeric_limits<double>::quiet_NaN();
    const double q = 0.5 * x;
    if (a <= 0.85) {
      const double r = 0.180625 - q * q;
      return kSqrtHalf * (q * polynomial(kNear, r) / polynomial(kNearBelow, r));
    }
    const double r = std::sqrt(-std::log(0.5 * (1 - a)));
    const double y = r <= 5 ? polynomial(kFar, r - 1.6) / polynomial(kFarBelow, r - 1.6)
                            : polynomial(kTail, r - 5) / polynomial(kTailBelow, r - 5);
    return std::copysign(kSqrtHalf * y, x);
  }
};

// The sum of coefficients[n - 1 - k] T_k(x / 2), the last term halved (Clenshaw).
template <int kCount>
double chebyshev(const double (&coefficients)[kCount], double x) {
  double b0 = coefficients[0], b1 = 0, b2 = 0;
  for (int i = 1; i < kCount; ++i) {
    b2 = b1;
    b1 = b0;
    b0 = x * b1 - b2 + coefficients[i];
  }
  return 0.5 * (b0 - b2);
}

// The modified Bessel function of order 0, by the Chebyshev series of S. L. Moshier's Cephes.
struct I0 {
  static double of(double x) {
    constexpr double kSmall[] = {
        -4.4153416464793395e-18, 3.3307945188222384e-17,  -2.431279846547955e-16,
        1.715391285555133e-15,   -1.1685332877993451e-14, 7.676185498604936e-14,
        -4.856446783111929e-13,  2.95505266312964e-12,    -1.726826291441556e-11,
        9.675809035373237e-11,   -5.189795601635263e-10,  2.6598237246823866e-09,
        -1.300025009986248e-08,  6.046995022541919e-08,   -2.670793853940612e-07,
        1.1173875391201037e-06,  -4.4167383584587505e-06, 1.6448448070728896e-05,
        -5.754195010082104e-05,  0.00018850288509584165,  -0.0005763755745385824,
        0.0016394756169413357,   -0.004324309995050576,   0.010546460394594998,
        -0.02373741480589947,    0.04930528423967071,     -0.09490109704804764,
        0.17162090152220877,     -0.3046826723431984,     0.6767952744094761};
    constexpr double kLarge[] = {
        -7.233180487874754e-18,  -4.830504485944182e-18,  4.46562142029676e-17,
        3.461222867697461e-17,   -2.8276239805165836e-16, -3.425485619677219e-16,
        1.7725601330565263e-15,  3.8116806693526224e-15,  -9.554846698828307e-15,
        -4.150569347287222e-14,  1.54008621752141e-14,    3.8527783827421426e-13,
        7.180124451383666e-13,   -1.7941785315068062e-12, -1.3215811840447713e-11,
        -3.1499165279632416e-11, 1.1889147107846439e-11,  4.94060238822497e-10,
        3.3962320257083865e-09,  2.266668990498178e-08,   2.0489185894690638e-07,
        2.8913705208347567e-06,  6.889758346916825e-05,   0.0033691164782556943,
        0.8044904110141088};
    const double a = std::abs(x);
    if (std::isinf(a)) return a;
    const double root = std::exp(0.5 * a);  // exp(a) would overflow too early
    const double y =
        a <= 8 ? chebyshev(kSmall, 0.5 * a - 2) : chebyshev(kLarge, 32 / a - 2) / std::sqrt(a);
    return root * y * root;
  }
};

// A function of float64 for either type.
template <class F>
struct InDouble {
  template <class T>
  static T apply(T x) {
    return static_cast<T>(F::of(static_cast<double>(x)));
  }
};

template <class F>
void add_float_unary(MapTable& table, const char* name, double nanoseconds) {
  add_unary<float, F>(table, name, nanoseconds);
  add_unary<double, F>(table, name, 1.5 * nanoseconds);
}

template <class F>
void add_float_binary(MapTable& table, const char* name, double nanoseconds) {
  add_binary<float, F>(table, name, nanoseconds);
  add_binary<double, F>(table, name, 1.5 * nanoseconds);
}

}  // namespace

void add_scalar_maps(MapTable& table) {
  add_unary<double, Erfc>(table, "erfc", 20);
  add_unary<double, Cbrt>(table, "cbrt", 20);
  add_float_unary<InDouble<Lgamma>>(table, "lgamma", 30);
  add_float_unary<InDouble<Digamma>>(table, "digamma", 40);
  add_float_unary<InDouble<Erfinv>>(table, "erfinv", 20);
  add_float_unary<InDouble<I0>>(table, "i0", 50);
  add_binary<double, Power>(table, "power", 25);
  add_float_binary<Hypot>(table, "hypot", 8);
  add_float_binary<Fmod>(table, "fmod", 10);
  add_float_binary<Mod>(table, "mod", 12);
  add_float_binary<FloorDivide>(table, "floor_divide", 15);
}

}  // namespace dlnative
