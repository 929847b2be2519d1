# SPDX-License-Identifier: GPL-2.0-or-later
#
# ioprof_library(<name> SOURCES <file>... [LINK <target>...] [PRIVATE <target>...])
#
# The static library ioprof_<name>, one per folder of user/. LINK names what its headers include, PRIVATE what only its
# sources do: the layers below, the outside thing it is the door to, and nothing else. A forbidden dependency then shows
# as a missing header or symbol in the unit tests, which link only their layer.
function(ioprof_library name)
	cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;LINK;PRIVATE")
	if(NOT ARG_SOURCES)
		add_library(ioprof_${name} INTERFACE)
		target_link_libraries(ioprof_${name} INTERFACE ioprof_flags ${ARG_LINK})
		return()
	endif()
	add_library(ioprof_${name} STATIC ${ARG_SOURCES})
	target_link_libraries(ioprof_${name} PUBLIC ioprof_flags ${ARG_LINK} PRIVATE ${ARG_PRIVATE})
endfunction()
