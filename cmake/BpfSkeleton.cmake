# SPDX-License-Identifier: GPL-2.0-or-later
#
# bpf_skeleton(<target> NAME <name> SOURCES <file.bpf.c>... [INCLUDE <dir>...])
#
# Compiles each source for the BPF machine, links the objects into <name>.bpf.o and makes the skeleton header
# <name>.skel.h, whose functions and struct are called <name>_bpf. <target> is an INTERFACE target: who links it finds
# the header, and is built after it. The header counts as a system header, so that warnings in generated code do not.
#
#   bpf_skeleton(ioprof_skel NAME ioprof SOURCES sched.bpf.c socket.bpf.c INCLUDE ${PROJECT_SOURCE_DIR}/vmlinux)
#   target_link_libraries(ioprof_probe PRIVATE ioprof_skel)      # #include "ioprof.skel.h"
#
# Each object depends on every header its source includes (the compiler's dependency file). -mcpu=v3 (kernel 5.1):
# 32-bit and unsigned-compare instructions, which make shorter programs. -g makes the BTF that libbpf relocates by.

find_program(CLANG NAMES clang REQUIRED DOC "The compiler for BPF")
find_program(BPFTOOL NAMES bpftool PATHS /usr/sbin /usr/local/sbin REQUIRED DOC "The linker for BPF")

# The name libbpf's bpf_tracing.h gives this machine: __TARGET_ARCH_<name>.
function(bpf_target_arch ret_arch)
	if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|i.86|AMD64)$")
		set(arch x86)
	elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
		set(arch arm64)
	else()
		message(FATAL_ERROR "no BPF target known for ${CMAKE_SYSTEM_PROCESSOR}: add it to cmake/BpfSkeleton.cmake")
	endif()
	set(${ret_arch} ${arch} PARENT_SCOPE)
endfunction()

function(bpf_skeleton target)
	cmake_parse_arguments(PARSE_ARGV 1 ARG "" "NAME" "SOURCES;INCLUDE")
	add_library(${target} INTERFACE)
	if(NOT ARG_SOURCES)
		return()
	endif()
	bpf_target_arch(arch)
	set(flags -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_${arch} -Wall -Wextra -Wno-unused-parameter)
	if(IOPROF_WERROR)
		list(APPEND flags -Werror)
	endif()
	foreach(dir IN LISTS ARG_INCLUDE)
		list(APPEND flags -I${dir})
	endforeach()

	set(objects)
	foreach(source IN LISTS ARG_SOURCES)
		cmake_path(GET source STEM LAST_ONLY stem)
		set(object ${CMAKE_CURRENT_BINARY_DIR}/${stem}.o)
		add_custom_command(OUTPUT ${object}
			COMMAND ${CLANG} ${flags} -MD -MF ${object}.d -MT ${object}
				-c ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${object}
			DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${source}
			DEPFILE ${object}.d
			COMMENT "Building BPF object ${stem}.o"
			VERBATIM)
		list(APPEND objects ${object})
	endforeach()

	set(linked ${CMAKE_CURRENT_BINARY_DIR}/${ARG_NAME}.bpf.o)
	set(skeleton ${CMAKE_CURRENT_BINARY_DIR}/${ARG_NAME}.skel.h)
	add_custom_command(OUTPUT ${linked}
		COMMAND ${BPFTOOL} gen object ${linked} ${objects}
		DEPENDS ${objects}
		COMMENT "Linking BPF object ${ARG_NAME}.bpf.o"
		VERBATIM)
	add_custom_command(OUTPUT ${skeleton}
		COMMAND ${BPFTOOL} gen skeleton ${linked} name ${ARG_NAME}_bpf > ${skeleton}
		DEPENDS ${linked}
		COMMENT "Generating ${ARG_NAME}.skel.h"
		VERBATIM)
	add_custom_target(${target}_header DEPENDS ${skeleton})
	add_dependencies(${target} ${target}_header)
	target_include_directories(${target} SYSTEM INTERFACE ${CMAKE_CURRENT_BINARY_DIR})
endfunction()
