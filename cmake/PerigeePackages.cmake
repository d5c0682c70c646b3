# What is installed, and `cpack`: the Debian packages perigee-tools, perigee-director and perigee-replica.
# packaging/ holds what is not compiled; docs/adr/0018 says why they are cut so.
set(PERIGEE_PACKAGE_VERSION ${PROJECT_VERSION}-1)
set(CPACK_PACKAGE_CONTACT "Perigee maintainers <maintainers@perigee.invalid>")

set(packaging ${CMAKE_SOURCE_DIR}/packaging)
set(packed ${CMAKE_BINARY_DIR}/packaging)

# gzipped(FROM TO): packed/TO.gz, the same bytes each time.
set(packed_files)
function(gzipped from to)
  add_custom_command(OUTPUT ${packed}/${to}.gz
    COMMAND gzip -9nc ${from} > ${packed}/${to}.gz DEPENDS ${from} VERBATIM)
  set(packed_files ${packed_files} ${packed}/${to}.gz PARENT_SCOPE)
endfunction()

# perigee_package(COMPONENT PROGRAMS… DESTINATION sbin|bin SECTION 8|1 [UNITS …])  SECTION is that of the man pages.
function(perigee_package component)
  cmake_parse_arguments(ARG "" "DESTINATION;SECTION" "PROGRAMS;UNITS" ${ARGN})
  set(doc share/doc/perigee-${component})
  install(TARGETS ${ARG_PROGRAMS} RUNTIME DESTINATION ${ARG_DESTINATION} COMPONENT ${component})
  foreach(program ${ARG_PROGRAMS})
    set(page ${program}.${ARG_SECTION})
    gzipped(${packaging}/man/${page} ${page})
    install(FILES ${packed}/${page}.gz DESTINATION share/man/man${ARG_SECTION} COMPONENT ${component})
    install(FILES ${packaging}/completion/perigee.bash DESTINATION share/bash-completion/completions
      RENAME ${program} COMPONENT ${component})
  endforeach()
  foreach(unit ${ARG_UNITS})
    install(FILES ${packaging}/systemd/${unit} DESTINATION lib/systemd/system COMPONENT ${component})
    if(unit MATCHES "^perigee-(.*)\\.service$")
      install(FILES ${packaging}/systemd/hardening/10-all.conf ${packaging}/systemd/hardening/10-${CMAKE_MATCH_1}.conf
        DESTINATION lib/systemd/system/${unit}.d COMPONENT ${component})
    endif()
  endforeach()
  install(FILES ${packaging}/debian/copyright ${packaging}/debian/README.Debian DESTINATION ${doc} COMPONENT ${component})
  install(FILES ${packed}/changelog.Debian.gz ${packed}/changelog.gz DESTINATION ${doc} COMPONENT ${component})
  set(packed_files ${packed_files} PARENT_SCOPE)
endfunction()

configure_file(${packaging}/debian/changelog.in ${packed}/changelog.Debian @ONLY)
gzipped(${packed}/changelog.Debian changelog.Debian)
gzipped(${CMAKE_SOURCE_DIR}/CHANGELOG.md changelog)

perigee_package(tools PROGRAMS cdnctl DESTINATION bin SECTION 1)
install(FILES ${packaging}/config/cdn.textproto DESTINATION /etc/perigee COMPONENT tools)
install(FILES ${CMAKE_SOURCE_DIR}/cdn.example.textproto DESTINATION share/doc/perigee-tools COMPONENT tools)

perigee_package(director PROGRAMS dnsserver DESTINATION sbin SECTION 8
  UNITS perigee-dnsserver.service perigee-dnsserver.socket)
perigee_package(replica PROGRAMS httpserver prober DESTINATION sbin SECTION 8
  UNITS perigee-httpserver.service perigee-httpserver.socket perigee-prober.service)
install(FILES ${packaging}/tmpfiles/perigee-replica.conf DESTINATION lib/tmpfiles.d COMPONENT replica)
foreach(component director replica)
  install(FILES ${packaging}/config/perigee-${component}.default DESTINATION /etc/default
    RENAME perigee-${component} COMPONENT ${component})
  install(FILES ${packaging}/logrotate/perigee-${component} DESTINATION /etc/logrotate.d COMPONENT ${component})
endforeach()

# What cpack wants besides the programs.
add_custom_target(packaging DEPENDS ${packed_files})

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME perigee)
set(CPACK_PACKAGE_VENDOR Perigee)
set(CPACK_PACKAGE_DIRECTORY ${CMAKE_BINARY_DIR}/packages)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_ALL tools director replica)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)

set(debian ${packaging}/debian)
set(CPACK_DEBIAN_TOOLS_PACKAGE_CONTROL_EXTRA "${debian}/tools/postinst;${debian}/tools/conffiles")
foreach(component director replica)
  string(TOUPPER ${component} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_CONTROL_EXTRA
    "${debian}/${component}/postinst;${debian}/${component}/prerm;${debian}/${component}/postrm;${debian}/${component}/conffiles")
endforeach()
set(CPACK_DEBIAN_TOOLS_PACKAGE_DEPENDS "adduser")
set(CPACK_DEBIAN_DIRECTOR_PACKAGE_DEPENDS "perigee-tools (= ${PERIGEE_PACKAGE_VERSION})")
set(CPACK_DEBIAN_REPLICA_PACKAGE_DEPENDS "perigee-tools (= ${PERIGEE_PACKAGE_VERSION}), scamper")
set(CPACK_DEBIAN_REPLICA_PACKAGE_RECOMMENDS "ca-certificates")

# CPack's default, which is the one that it does not put before each package's own.
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${CMAKE_PROJECT_NAME} built using CMake")
set(what_perigee_is "Perigee is a self-hosted content delivery network that measures which replica
is nearest to each client.")
set(CPACK_DEBIAN_TOOLS_DESCRIPTION "operator's command of the Perigee CDN
${what_perigee_is} cdnctl shows the fleet and its decisions, drains
replicas, and purges and warms their caches. This package also holds the fleet
file and makes the user that the services run as.")
set(CPACK_DEBIAN_DIRECTOR_DESCRIPTION "DNS server of the Perigee CDN
${what_perigee_is} dnsserver is authoritative for the CDN's domain and
answers each client with the replica that has the lowest round-trip time.")
set(CPACK_DEBIAN_REPLICA_DESCRIPTION "caching proxy and prober of the Perigee CDN
${what_perigee_is} httpserver serves the site from a cache in memory
and SQLite; prober measures the round-trip time from its host to a client.")
include(CPack)
