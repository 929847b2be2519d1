# SPDX-License-Identifier: GPL-2.0-or-later
#
# What is installed beside the command, and the Debian package: cpack --config build/release/CPackConfig.cmake

install(FILES LICENSE docs/architecture.md docs/json.md docs/ioprof-1.schema.json docs/method.md docs/monitoring.md
	DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(FILES packaging/completions/ioprof.bash RENAME ioprof
	DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES packaging/completions/_ioprof DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES packaging/systemd/ioprof-export.service DESTINATION lib/systemd/system)
install(FILES packaging/prometheus/ioprof.rules.yml packaging/prometheus/ioprof.rules.test.yml
	DESTINATION ${CMAKE_INSTALL_DATADIR}/ioprof/prometheus)
install(FILES packaging/grafana/ioprof.json DESTINATION ${CMAKE_INSTALL_DATADIR}/ioprof/grafana)
install(FILES packaging/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME ioprof)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "The ioprof authors <ioprof@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "where a live service's requests spend their time")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
	"ioprof attaches to running services by eBPF and shows what each request did: CPU, waiting for whom, queueing.\nIt computes the blocking coefficient, which says whether asynchronous I/O would help, and feeds monitoring.")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "bash-completion, prometheus")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
	${PROJECT_SOURCE_DIR}/packaging/debian/postinst
	${PROJECT_SOURCE_DIR}/packaging/debian/prerm
	${PROJECT_SOURCE_DIR}/packaging/debian/postrm)
include(CPack)
