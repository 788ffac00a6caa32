# Bundles charts.js with what it imports: cmake -DNPM=... -DNODE=... -DSOURCE=... -DBUILD=... -P charts.cmake
#
# Without npm, or without its packages, the build goes on: the bundle then says why the page has no charts.

set(output ${BUILD}/charts.js)

function(without reason)
  message(STATUS "report page: no charts, since ${reason}. To try again: delete ${output} and build")
  file(WRITE ${output} "globalThis.chartsMissing = \"${reason}\";\n")
endfunction()

if(NOT NPM OR NOT NODE)
  without("npm was not installed when the program was built")
  return()
endif()
file(COPY ${SOURCE}/package.json ${SOURCE}/package-lock.json ${SOURCE}/charts.js DESTINATION ${BUILD}/npm)
execute_process(COMMAND ${NPM} ci --ignore-scripts --no-audit --no-fund --prefer-offline
  --fetch-retries=1 --fetch-timeout=30000
  WORKING_DIRECTORY ${BUILD}/npm RESULT_VARIABLE failed OUTPUT_FILE ${BUILD}/npm.log
  ERROR_FILE ${BUILD}/npm.log TIMEOUT 300)
if(NOT failed EQUAL 0)
  without("npm could not fetch its packages when the program was built")
  return()
endif()
execute_process(COMMAND ${NODE} node_modules/esbuild/bin/esbuild charts.js --bundle --minify
  --format=iife --charset=utf8
  --legal-comments=none --log-level=warning --outfile=${output}
  WORKING_DIRECTORY ${BUILD}/npm RESULT_VARIABLE failed)
if(NOT failed EQUAL 0)
  without("esbuild failed when the program was built")
endif()
