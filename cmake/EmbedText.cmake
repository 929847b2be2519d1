# SPDX-License-Identifier: GPL-2.0-or-later
#
# embed_text(<target> <file> <symbol>)
#
# Puts the bytes of a file into the target, as `const char <symbol>[]` with a terminator, declared nowhere: whoever uses it
# does so in one place.
function(embed_text target file symbol)
	set(source ${CMAKE_CURRENT_SOURCE_DIR}/${file})
	set(output ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
	add_custom_command(OUTPUT ${output}
		COMMAND ${CMAKE_COMMAND} -D SOURCE=${source} -D OUTPUT=${output} -D SYMBOL=${symbol}
			-P ${PROJECT_SOURCE_DIR}/cmake/EmbedText.cmake
		DEPENDS ${source} ${PROJECT_SOURCE_DIR}/cmake/EmbedText.cmake VERBATIM)
	target_sources(${target} PRIVATE ${output})
endfunction()

if(CMAKE_SCRIPT_MODE_FILE)
	file(READ ${SOURCE} bytes HEX)
	string(REGEX REPLACE "(..)" "0x\\1," bytes "${bytes}")
	string(REGEX REPLACE "(................................................................................)" "\\1\n"
		bytes "${bytes}")
	file(WRITE ${OUTPUT} "extern const char ${SYMBOL}[];\nconst char ${SYMBOL}[] = {\n${bytes}0\n};\n")
endif()
