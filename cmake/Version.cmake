# SPDX-License-Identifier: GPL-2.0-or-later
#
# The INTERFACE target ioprof_version: who links it can #include "version.h", which defines IOPROF_VERSION, a string.
# A tag v1.2.3 gives "1.2.3", commits after it "1.2.3-4-gabcdef0", no tag "0.1.0-gabcdef0", no git (a tarball) "0.1.0".
# The header is brought up to date by every build and rewritten only when the version changed.

if(CMAKE_SCRIPT_MODE_FILE)
	cmake_minimum_required(VERSION 3.25)
	execute_process(COMMAND git describe --tags --match "v[0-9]*" --dirty
		WORKING_DIRECTORY ${SOURCE_DIR} OUTPUT_VARIABLE version ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
	string(REGEX REPLACE "^v" "" version "${version}")
	if(NOT version)
		execute_process(COMMAND git describe --always --exclude "*" --dirty
			WORKING_DIRECTORY ${SOURCE_DIR} OUTPUT_VARIABLE commit ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
		set(version ${FALLBACK})
		if(commit)
			string(APPEND version -g${commit})
		endif()
	endif()
	file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "#define IOPROF_VERSION \"@version@\"\n" @ONLY)
	return()
endif()

set(version_header ${PROJECT_BINARY_DIR}/generated/version.h)
add_custom_target(ioprof_version_header
	COMMAND ${CMAKE_COMMAND} -DSOURCE_DIR=${PROJECT_SOURCE_DIR} -DFALLBACK=${PROJECT_VERSION}
		-DOUTPUT=${version_header} -P ${CMAKE_CURRENT_LIST_FILE}
	BYPRODUCTS ${version_header}
	COMMENT "Looking up the version"
	VERBATIM)
add_library(ioprof_version INTERFACE)
add_dependencies(ioprof_version ioprof_version_header)
target_include_directories(ioprof_version INTERFACE ${PROJECT_BINARY_DIR}/generated)
