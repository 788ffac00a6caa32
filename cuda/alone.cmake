# What the folder builds beside the module when it is built alone: the core of train/ (ref, models, replicas), and the
# programs that tests/gpu.sh runs. They need the C library; no SimGrid, BLAS, GSL, SQLite, libfyaml, xxHash or zlib.
set(train ${CMAKE_CURRENT_SOURCE_DIR}/../train)
set(tests ${CMAKE_CURRENT_SOURCE_DIR}/../tests)
file(GLOB models CONFIGURE_DEPENDS ${train}/model_*.c ${train}/layer_*.c)
file(GLOB compressors CONFIGURE_DEPENDS ${train}/compress/*.c)
add_library(rh_core STATIC
  ${train}/base/status.c ${train}/base/unit.c ${train}/base/text.c ${train}/base/option.c ${train}/base/settings.c
  ${train}/base/rng.c ${train}/base/fold.c ${train}/base/thin.c ${train}/base/extent.c
  ${train}/backend_memory.c ${train}/backend_host.c ${train}/backend_ref.c ${train}/backend_ref_norm.c ${train}/backend_ref_split.c
  ${train}/backend_poison.c ${train}/backend_poison_device.c ${train}/poison.c
  ${train}/model.c ${train}/workspace.c ${train}/conv_pool.c ${train}/quantise.c ${train}/int8.c
  ${models} ${compressors} ${train}/batches.c ${train}/dataset.c ${train}/pixels.c ${train}/vector.c ${train}/optim.c
  ${train}/replicas.c ${train}/replicas_step.c
  ${train}/replicas_device.c ${train}/replicas_score.c ${train}/tree_sum.c ${tests}/cuda/hash_plain.c)
target_include_directories(rh_core PUBLIC ${train} ${train}/base ${train}/compress ${CMAKE_CURRENT_SOURCE_DIR})
# The list of data sets names loaders that need other libraries; nothing here asks for it, and its section goes.
target_compile_options(rh_core PUBLIC -Wall -Wextra -Wconversion -ffp-contract=off -fno-math-errno -ffunction-sections
  -fdata-sections $<$<BOOL:${RH_WERROR}>:-Werror>)
target_compile_definitions(rh_core PUBLIC _GNU_SOURCE)
target_link_libraries(rh_core PUBLIC m ${CMAKE_DL_LIBS})
target_link_options(rh_core PUBLIC -Wl,--gc-sections)

add_executable(rehearse_cuda_conformance ${tests}/cuda/conformance.c ${tests}/cuda/test_layers.c
  ${tests}/cuda/test_models.c ${tests}/cuda/test_replicas.c ${tests}/cuda/test_rows.c
  ${tests}/cuda/test_factors.c ${tests}/cuda/test_thin.c ${tests}/cuda/test_codes.c)
target_link_libraries(rehearse_cuda_conformance PRIVATE rh_core)

add_executable(bench_gpu ${tests}/bench/bench_gpu.c ${tests}/bench/noise.c)
target_link_libraries(bench_gpu PRIVATE rh_core)

add_executable(calibrate_gpu ${tests}/bench/calibrate_gpu.c ${tests}/bench/noise.c)
target_link_libraries(calibrate_gpu PRIVATE rh_core)
