# SPDX-License-Identifier: GPL-2.0-or-later
#
# How tests are told to CTest. Every test has one label: unit, golden, check, e2e or vm (docs in CONTRIBUTING.md).
#
# ioprof_unit_test(<name> [LIBS <target>...] [SOURCES <file>...] [LABEL <label>])
#   Builds <name>.c (and SOURCES) of the calling folder with cmocka and LIBS, and runs it as <label>.<name>.
#   Link only the layer under test. A test function that main() forgot fails the build. LABEL: unit if not given.
#
# ioprof_pytest(<name> <file> LABEL <label> [TIMEOUT <seconds>] [PARALLEL])
#   Runs <file> of the calling folder with pytest as <label>.<name>. It finds the binary through the environment
#   variable IOPROF, the test programs through IOPROF_TESTBIN, the build folder through IOPROF_BUILD. Tests
#   labelled e2e or vm run one at a time: they measure; those that do not, PARALLEL, side by side with each other.
#   TIMEOUT: 300 s if not given.

pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
# Debian's own interpreter: the tests' modules are Debian packages.
find_program(PYTEST_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH REQUIRED DOC "The Python that runs the tests")

# What tests run: the known-answer service and its company.
set(IOPROF_TESTBIN ${PROJECT_BINARY_DIR}/tests/bin)

function(ioprof_unit_test name)
	cmake_parse_arguments(PARSE_ARGV 1 ARG "" "LABEL" "LIBS;SOURCES")
	if(NOT ARG_LABEL)
		set(ARG_LABEL unit)
	endif()
	add_executable(${name} ${name}.c ${ARG_SOURCES})
	target_compile_options(${name} PRIVATE -Werror=unused-function)
	target_link_libraries(${name} PRIVATE ioprof_flags ${ARG_LIBS} PkgConfig::CMOCKA)
	add_test(NAME ${ARG_LABEL}.${name} COMMAND ${name} WORKING_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR})
	set_tests_properties(${ARG_LABEL}.${name} PROPERTIES LABELS ${ARG_LABEL} TIMEOUT 60)
endfunction()

function(ioprof_pytest name file)
	cmake_parse_arguments(PARSE_ARGV 2 ARG "PARALLEL" "LABEL;TIMEOUT" "")
	if(NOT ARG_TIMEOUT)
		set(ARG_TIMEOUT 300)
	endif()
	set(test ${ARG_LABEL}.${name})
	add_test(NAME ${test}
		COMMAND ${PYTEST_PYTHON} -m pytest -q -ra --tb=short -p no:cacheprovider
			--junitxml=${PROJECT_BINARY_DIR}/Testing/${test}.xml ${CMAKE_CURRENT_SOURCE_DIR}/${file}
		WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
	set(environment
		IOPROF=${PROJECT_BINARY_DIR}/ioprof
		IOPROF_TESTBIN=${IOPROF_TESTBIN}
		IOPROF_BUILD=${PROJECT_BINARY_DIR}
		PYTHONDONTWRITEBYTECODE=1)
	set_tests_properties(${test} PROPERTIES
		LABELS ${ARG_LABEL} TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT "${environment}")
	if(ARG_LABEL MATCHES "^(e2e|vm)$" AND NOT ARG_PARALLEL)
		set_tests_properties(${test} PROPERTIES RUN_SERIAL ON)
	endif()
endfunction()
