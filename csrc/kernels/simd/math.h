// Vector mathematics: vexp, vexp_nonpositive, vexp2, vexpm1, vexpm1_nonpositive, vlog, vlog2,
// vlog10, vlog1p, vlog1p_unit, vlogaddexp, vsigmoid, logistic, vtanh, vsinh, vcosh, varcsinh,
// varccosh, varctanh, normal_distribution, verf, vsin, vcos, vtan, varcsin, varccos, varctan,
// varctan2. Each is called with its scalar type: vexp<T>(x). Besides, vpower, verfc and vcbrt of
// float32.
//
// Above each function stand its method, where its coefficients come from, and its measured error;
// the measures are explained in math_exp.h. NaN gives NaN.
#pragma once

#include "kernels/simd/math_arc.h"
#include "kernels/simd/math_exp.h"
#include "kernels/simd/math_hyperbolic.h"
#include "kernels/simd/math_log.h"
#include "kernels/simd/math_normal.h"
#include "kernels/simd/math_power.h"
#include "kernels/simd/math_sigmoid.h"
#include "kernels/simd/math_trig.h"
