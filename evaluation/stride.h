// Everything that a program needs: `#include <stride/stride.h>` and the CMake target Stride::stride.
#pragma once

#include "evaluation/compare.h"
#include "evaluation/results_table.h"
#include "framework/batch_state.h"
#include "framework/error.h"
#include "framework/models/gaussian_mixture.h"
#include "framework/models/lambda_denoiser.h"
#include "neural/predictor/predictor_controller.h"
#include "neural/predictor/train_predictor.h"
#include "pipeline/fit.h"
#include "pipeline/model_card.h"
#include "pipeline/record.h"
#include "pipeline/sample.h"
