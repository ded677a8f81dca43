package operation

// project is the beginning of every path below one project.
const project = "/api/v0/organizations/{organization_slug}/projects/{project_slug}"

// The rows, in the order of the table.
const (
	AuthMe ID = iota
	AuthGetUserAPIKey
	AuthGenerateUserAPIKey
	AuthResetUserAPIKey

	OrganizationsList
	OrganizationsRetrieve

	ProjectsCreate
	ProjectsList
	ProjectsRetrieve
	ProjectsUpdate
	ProjectsDelete
	ProjectsGetClientKey
	ProjectsRefreshClientKey
	ProjectsDataRoutes

	ArtifactsUploadForRelease
	ArtifactsListForRelease

	ReleasesCreate
	ReleasesList
	ReleasesRetrieve
	ReleasesUpdate
	ReleasesDelete
	ReleasesLatest
	ReleasesLatestURL

	DeltaReleasesList

	CohortsCreate
	CohortsList
	CohortsRetrieve
	CohortsUpdate
	CohortsDelete
	CohortsListDevices
	CohortsMoveDevices

	DeploymentsCreate
	DeploymentsList
	DeploymentsRetrieve
	DeploymentsUpdate
	DeploymentsDeactivate

	DevicesCreate
	DevicesList
	DevicesRetrieve
	DevicesUpdate
	DevicesDelete

	DeviceAttributesList
	DeviceAttributesUpdate
	DeviceAttributesUpdateProjectKey

	DeviceRebootsList

	DeviceLogFilesList
	DeviceLogFilesDownload

	DeviceCustomDataRecordingsList

	CustomDataRecordingsList
	CustomDataRecordingsDownload

	DeviceConfigFetch

	SDKSettingsGet

	EventsUpload
	EventsList
	EventsRetrieve

	EventLogList

	ChroniclerLogsList

	IssuesList
	IssuesRetrieve
	IssuesUpdate
	IssuesDelete
	IssuesFirstTrace

	TracesList
	TracesRetrieve

	CoredumpsList
	CoredumpsDownload

	SymbolsDownload

	ELFCoredumpsList

	ReportsList

	CustomMetricsCreate

	InstallsList
	InstallsRetrieve
	InstallsDelete

	SoftwareTypesList

	SoftwareVersionsList
	SoftwareVersionsCreate
	SoftwareVersionsRetrieve
	SoftwareVersionsUploadSymbolsLegacy

	HardwareVersionsCreate

	AlertsUpdate

	ChunksUpload

	UploadPrepareProjectKey
	UploadPrepareBasicAuth
	UploadPutFile
	UploadCommitCoredump
	UploadCoredumpRawLegacy
	UploadCommitBugreport
	UploadCommitMAR
	UploadCommitCustomDataRecording
	UploadCommitELFCoredump
	UploadCommitXED
	UploadTraceImport
	UploadCommitCoredumpProject
	UploadCommitBugreportProject
	UploadCommitMARProject
	UploadCommitCustomDataRecordingProject
	UploadCommitELFCoredumpProject
	UploadCommitXEDProject
	UploadCommitSymbols

	SymbolsExistsByGNUBuildID

	UploadCommitOTAPayload
	UploadCommitSBOM

	TasksGetStatus

	count
)

// table holds each operation at the index of its ID.
var table = [count]Operation{
	AuthMe:                                 {"auth.me", "GET", API, "/auth/me", Console, Bare, documented, []int{200}},
	AuthGetUserAPIKey:                      {"auth.get_user_api_key", "GET", API, "/auth/api_key", Basic, Data, documented, []int{200}},
	AuthGenerateUserAPIKey:                 {"auth.generate_user_api_key", "POST", API, "/auth/api_key", Basic, Data, documented, []int{200}},
	AuthResetUserAPIKey:                    {"auth.reset_user_api_key", "DELETE", API, "/auth/api_key", Basic, Empty, documented, []int{204}},
	OrganizationsList:                      {"organizations.list", "GET", API, "/api/v0/organizations", Console, List, documented, []int{200}},
	OrganizationsRetrieve:                  {"organizations.retrieve", "GET", API, "/api/v0/organizations/{organization_slug}", Console, Data, documented, []int{200}},
	ProjectsCreate:                         {"projects.create", "POST", API, "/api/v0/organizations/{organization_slug}/projects", Console, Data, documented, []int{200}},
	ProjectsList:                           {"projects.list", "GET", API, "/api/v0/organizations/{organization_slug}/projects", Console, List, documented, []int{200}},
	ProjectsRetrieve:                       {"projects.retrieve", "GET", API, project, Console, Data, documented, []int{200}},
	ProjectsUpdate:                         {"projects.update", "PATCH", API, project, Console, Data, repeatable | documented, []int{200}},
	ProjectsDelete:                         {"projects.delete", "DELETE", API, project, Console, Empty, documented, []int{204}},
	ProjectsGetClientKey:                   {"projects.get_client_key", "GET", API, project + "/api_key", Console, Data, documented, []int{200}},
	ProjectsRefreshClientKey:               {"projects.refresh_client_key", "POST", API, project + "/api_key", Console, Data, documented, []int{200}},
	ProjectsDataRoutes:                     {"projects.data_routes", "GET", API, project + "/data-routes", Console, List, 0, []int{200}},
	ArtifactsUploadForRelease:              {"artifacts.upload_for_release", "POST", API, project + "/releases/{release_version}/artifacts", Console, Empty, documented, []int{202}},
	ArtifactsListForRelease:                {"artifacts.list_for_release", "GET", API, project + "/releases/{release_version}/artifacts", Console, List, documented, []int{200}},
	ReleasesCreate:                         {"releases.create", "POST", API, project + "/releases", Console, Data, documented, []int{200}},
	ReleasesList:                           {"releases.list", "GET", API, project + "/releases", Console, List, documented, []int{200}},
	ReleasesRetrieve:                       {"releases.retrieve", "GET", API, project + "/releases/{release_version}", Console, Data, documented, []int{200}},
	ReleasesUpdate:                         {"releases.update", "PATCH", API, project + "/releases/{release_version}", Console, Data, repeatable | documented, []int{200}},
	ReleasesDelete:                         {"releases.delete", "DELETE", API, project + "/releases/{release_version}", Console, Empty, documented, []int{204}},
	ReleasesLatest:                         {"releases.latest", "GET", Device, "/api/v0/releases/latest", ProjectKey, Bare, documented, []int{200, 204}},
	ReleasesLatestURL:                      {"releases.latest_url", "GET", Device, "/api/v0/releases/latest/url", ProjectKey, Text, documented, []int{200, 204}},
	DeltaReleasesList:                      {"delta_releases.list", "GET", API, project + "/delta-releases", Console, List, 0, []int{200}},
	CohortsCreate:                          {"cohorts.create", "POST", API, project + "/cohorts", Console, Data, documented, []int{200}},
	CohortsList:                            {"cohorts.list", "GET", API, project + "/cohorts", Console, List, documented, []int{200}},
	CohortsRetrieve:                        {"cohorts.retrieve", "GET", API, project + "/cohorts/{cohort_slug}", Console, Data, documented, []int{200}},
	CohortsUpdate:                          {"cohorts.update", "PATCH", API, project + "/cohorts/{cohort_slug}", Console, Data, repeatable | documented, []int{200}},
	CohortsDelete:                          {"cohorts.delete", "DELETE", API, project + "/cohorts/{cohort_slug}", Console, Empty, documented, []int{204}},
	CohortsListDevices:                     {"cohorts.list_devices", "GET", API, project + "/cohorts/{cohort_slug}/devices", Console, List, documented, []int{200}},
	CohortsMoveDevices:                     {"cohorts.move_devices", "PATCH", API, project + "/cohorts/{cohort_slug}/devices", Console, Empty, repeatable | documented, []int{202, 204}},
	DeploymentsCreate:                      {"deployments.create", "POST", API, project + "/deployments", Console, Data, documented, []int{200}},
	DeploymentsList:                        {"deployments.list", "GET", API, project + "/deployments", Console, List, documented, []int{200}},
	DeploymentsRetrieve:                    {"deployments.retrieve", "GET", API, project + "/deployments/{deployment_id}", Console, Data, documented, []int{200}},
	DeploymentsUpdate:                      {"deployments.update", "PATCH", API, project + "/deployments/{deployment_id}", Console, Data, repeatable | documented, []int{200}},
	DeploymentsDeactivate:                  {"deployments.deactivate", "DELETE", API, project + "/deployments/{deployment_id}", Console, Empty, 0, []int{204}},
	DevicesCreate:                          {"devices.create", "POST", API, project + "/devices", Console, Data, documented, []int{200, 202}},
	DevicesList:                            {"devices.list", "GET", API, project + "/devices", Console, List, documented, []int{200}},
	DevicesRetrieve:                        {"devices.retrieve", "GET", API, project + "/devices/{device_serial}", Console, Data, documented, []int{200}},
	DevicesUpdate:                          {"devices.update", "PATCH", API, project + "/devices/{device_serial}", Console, Data, repeatable | documented, []int{200}},
	DevicesDelete:                          {"devices.delete", "DELETE", API, project + "/devices/{device_serial}", Console, Empty, documented, []int{204}},
	DeviceAttributesList:                   {"device_attributes.list", "GET", API, project + "/devices/{device_serial}/attributes", Console, List, documented, []int{200}},
	DeviceAttributesUpdate:                 {"device_attributes.update", "PATCH", API, project + "/devices/{device_serial}/attributes", Console, Empty, repeatable, []int{204}},
	DeviceAttributesUpdateProjectKey:       {"device_attributes.update_project_key", "PATCH", Device, "/api/v0/attributes", ProjectKey, Empty, repeatable | documented, []int{204}},
	DeviceRebootsList:                      {"device_reboots.list", "GET", API, project + "/devices/{device_serial}/reboots", Console, List, 0, []int{200}},
	DeviceLogFilesList:                     {"device_log_files.list", "GET", API, project + "/devices/{device_serial}/log-files", Console, List, 0, []int{200}},
	DeviceLogFilesDownload:                 {"device_log_files.download", "GET", API, project + "/devices/{device_serial}/log-files/{cid}/download", Console, Stream, 0, []int{200}},
	DeviceCustomDataRecordingsList:         {"device_custom_data_recordings.list", "GET", API, project + "/devices/{device_serial}/custom-data-recordings", Console, List, 0, []int{200}},
	CustomDataRecordingsList:               {"custom_data_recordings.list", "GET", API, project + "/custom-data-recordings", Console, List, 0, []int{200}},
	CustomDataRecordingsDownload:           {"custom_data_recordings.download", "GET", API, project + "/custom-data-recording/{id}/download", Console, Stream, 0, []int{200}},
	DeviceConfigFetch:                      {"device_config.fetch", "POST", Device, "/api/v0/device-config", ProjectKey, Data, repeatable, []int{200}},
	SDKSettingsGet:                         {"sdk_settings.get", "GET", Device, "/api/v0/sdk-settings", ProjectKey, Data, 0, []int{200}},
	EventsUpload:                           {"events.upload", "POST", Ingress, "/api/v0/events", ProjectKey, Empty, documented, []int{202}},
	EventsList:                             {"events.list", "GET", API, project + "/events", Console, List, documented, []int{200}},
	EventsRetrieve:                         {"events.retrieve", "GET", API, project + "/events/{event_id}", Console, Data, documented, []int{200}},
	EventLogList:                           {"event_log.list", "GET", API, project + "/event-log", Console, List, 0, []int{200}},
	ChroniclerLogsList:                     {"chronicler_logs.list", "GET", API, project + "/chronicler-logs", Console, List, 0, []int{200}},
	IssuesList:                             {"issues.list", "GET", API, project + "/issues", Console, List, documented, []int{200}},
	IssuesRetrieve:                         {"issues.retrieve", "GET", API, project + "/issues/{issue_id}", Console, Data, documented, []int{200}},
	IssuesUpdate:                           {"issues.update", "PATCH", API, project + "/issues/{issue_id}", Console, Data, repeatable | documented, []int{200}},
	IssuesDelete:                           {"issues.delete", "DELETE", API, project + "/issues/{issue_id}", Console, Empty, documented, []int{204}},
	IssuesFirstTrace:                       {"issues.first_trace", "GET", API, project + "/issues/{issue_id}/first-trace", Console, Data, 0, []int{200}},
	TracesList:                             {"traces.list", "GET", API, project + "/traces", Console, List, 0, []int{200}},
	TracesRetrieve:                         {"traces.retrieve", "GET", API, project + "/traces/{trace_id}", Console, Data, documented, []int{200}},
	CoredumpsList:                          {"coredumps.list", "GET", API, project + "/coredumps", Console, List, 0, []int{200}},
	CoredumpsDownload:                      {"coredumps.download", "GET", API, project + "/coredumps/{coredump_id}/download", Console, Stream, 0, []int{200}},
	SymbolsDownload:                        {"symbols.download", "GET", API, project + "/symbols/{symbol_id}/download", Console, Stream, 0, []int{200}},
	ELFCoredumpsList:                       {"elf_coredumps.list", "GET", API, project + "/elf_coredumps", Console, List, 0, []int{200}},
	ReportsList:                            {"reports.list", "GET", API, project + "/reports", Console, List, 0, []int{200}},
	CustomMetricsCreate:                    {"custom_metrics.create", "POST", API, project + "/custom-metrics", Console, Data, 0, []int{200}},
	InstallsList:                           {"installs.list", "GET", API, project + "/installs", Console, List, documented, []int{200}},
	InstallsRetrieve:                       {"installs.retrieve", "GET", API, project + "/installs/{install_id}", Console, Data, documented, []int{200}},
	InstallsDelete:                         {"installs.delete", "DELETE", API, project + "/installs/{install_id}", Console, Empty, documented, []int{204}},
	SoftwareTypesList:                      {"software_types.list", "GET", API, project + "/software_types", Console, List, 0, []int{200}},
	SoftwareVersionsList:                   {"software_versions.list", "GET", API, project + "/software_types/{software_type}/software_versions", Console, List, 0, []int{200}},
	SoftwareVersionsCreate:                 {"software_versions.create", "POST", API, project + "/software_types/{software_type_slug}/software_versions", Console, Data, documented, []int{200}},
	SoftwareVersionsRetrieve:               {"software_versions.retrieve", "GET", API, project + "/software_types/{software_type}/software_versions/{version}", Console, Data, 0, []int{200}},
	SoftwareVersionsUploadSymbolsLegacy:    {"software_versions.upload_symbols_legacy", "POST", Files, project + "/software_types/{software_type}/software_versions/{version}/artifacts/symbols", Console, Empty, 0, []int{200}},
	HardwareVersionsCreate:                 {"hardware_versions.create", "POST", API, project + "/hardware_versions", Console, Data, 0, []int{200}},
	AlertsUpdate:                           {"alerts.update", "PATCH", API, project + "/alerts/{alert_id}", Console, Data, repeatable, []int{200}},
	ChunksUpload:                           {"chunks.upload", "POST", Chunks, "/api/v0/chunks/{device_serial}", ProjectKey, Empty, repeatable | documented, []int{202}},
	UploadPrepareProjectKey:                {"upload.prepare_project_key", "POST", Files, "/api/v0/upload", ProjectKey, Data, repeatable | documented, []int{200}},
	UploadPrepareBasicAuth:                 {"upload.prepare_basic_auth", "POST", Files, project + "/upload", Console, Data, repeatable | documented, []int{200}},
	UploadPutFile:                          {"upload.put_file", "PUT", Presigned, "{upload_url}", NoCredential, Empty, documented, []int{200}},
	UploadCommitCoredump:                   {"upload.commit_coredump", "POST", Files, "/api/v0/upload/coredump", ProjectKey, Empty, documented, []int{202}},
	UploadCoredumpRawLegacy:                {"upload.coredump_raw_legacy", "POST", Ingress, "/api/v0/upload/coredump", ProjectKey, Empty, documented, []int{202}},
	UploadCommitBugreport:                  {"upload.commit_bugreport", "POST", Files, "/api/v0/upload/bugreport", ProjectKey, Empty, documented, []int{202}},
	UploadCommitMAR:                        {"upload.commit_mar", "POST", Files, "/api/v0/upload/mar", ProjectKey, Empty, documented, []int{202}},
	UploadCommitCustomDataRecording:        {"upload.commit_custom_data_recording", "POST", Files, "/api/v0/upload/custom-data-recording", ProjectKey, Empty, documented, []int{202}},
	UploadCommitELFCoredump:                {"upload.commit_elf_coredump", "POST", Files, "/api/v0/upload/elf_coredump", ProjectKey, Empty, 0, []int{202}},
	UploadCommitXED:                        {"upload.commit_xed", "POST", Files, "/api/v0/upload/qc/x", ProjectKey, Empty, 0, []int{202}},
	UploadTraceImport:                      {"upload.trace_import", "POST", API, "/api/v0/upload/trace-import", ProjectKey, Empty, documented, []int{202}},
	UploadCommitCoredumpProject:            {"upload.commit_coredump_project", "POST", Files, project + "/coredumps", Console, Empty, 0, []int{200}},
	UploadCommitBugreportProject:           {"upload.commit_bugreport_project", "POST", Files, project + "/bugreports", Console, Empty, 0, []int{200}},
	UploadCommitMARProject:                 {"upload.commit_mar_project", "POST", Files, project + "/mar", Console, Empty, 0, []int{200}},
	UploadCommitCustomDataRecordingProject: {"upload.commit_custom_data_recording_project", "POST", Files, project + "/custom-data-recording", Console, Empty, 0, []int{200}},
	UploadCommitELFCoredumpProject:         {"upload.commit_elf_coredump_project", "POST", Files, project + "/elf_coredumps", Console, Empty, 0, []int{200}},
	UploadCommitXEDProject:                 {"upload.commit_xed_project", "POST", Files, project + "/qc/x", Console, Empty, 0, []int{200}},
	UploadCommitSymbols:                    {"upload.commit_symbols", "POST", Files, project + "/symbols", Console, Empty, 0, []int{200}},
	SymbolsExistsByGNUBuildID:              {"symbols.exists_by_gnu_build_id", "HEAD", Files, project + "/symbols-by-gnu-build-id/{gnu_build_id}", Console, Empty, 0, []int{200}},
	UploadCommitOTAPayload:                 {"upload.commit_ota_payload", "POST", Files, project + "/releases/ota_payload", Console, Empty, 0, []int{200}},
	UploadCommitSBOM:                       {"upload.commit_sbom", "POST", Files, project + "/sboms", Console, Empty, 0, []int{200}},
	TasksGetStatus:                         {"tasks.get_status", "GET", API, "/api/v0/queue/{task_id}", Console | ProjectKey, Bare, documented, []int{200}},
}
