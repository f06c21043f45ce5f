// Vector mathematics: vexp, vexp_nonpositive, vexpm1, vexpm1_nonpositive, vlog, vlog1p, vsigmoid,
// vtanh, normal_distribution. Each is called with its scalar type: vexp<T>(x).
//
// Measured error bounds stand above each function; csrc/kernels/simd is the only place that knows
// polynomials. NaN gives NaN everywhere.
#pragma once

#include "kernels/simd/math_exp.h"
#include "kernels/simd/math_log.h"
#include "kernels/simd/math_normal.h"
#include "kernels/simd/math_sigmoid.h"
