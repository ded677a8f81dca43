package operation

// project is the common prefix of the paths that belong to a project.
const project = "/api/v0/organizations/{organization_slug}/projects/{project_slug}"

// table contains the rows below, in their order.
var table []*Operation

// The rows of the table.
var (
	AuthMe                 = row("auth.me", "GET", API, "/auth/me", Console, Bare, documented, 200)
	AuthGetUserAPIKey      = row("auth.get_user_api_key", "GET", API, "/auth/api_key", Basic, Data, documented, 200)
	AuthGenerateUserAPIKey = row("auth.generate_user_api_key", "POST", API, "/auth/api_key", Basic, Data, documented, 200)
	AuthResetUserAPIKey    = row("auth.reset_user_api_key", "DELETE", API, "/auth/api_key", Basic, Empty, documented, 204)

	OrganizationsList     = row("organizations.list", "GET", API, "/api/v0/organizations", Console, List, documented, 200)
	OrganizationsRetrieve = row("organizations.retrieve", "GET", API, "/api/v0/organizations/{organization_slug}", Console, Data, documented, 200)

	ProjectsCreate           = row("projects.create", "POST", API, "/api/v0/organizations/{organization_slug}/projects", Console, Data, documented, 200)
	ProjectsList             = row("projects.list", "GET", API, "/api/v0/organizations/{organization_slug}/projects", Console, List, documented, 200)
	ProjectsRetrieve         = row("projects.retrieve", "GET", API, project, Console, Data, documented, 200)
	ProjectsUpdate           = row("projects.update", "PATCH", API, project, Console, Data, idempotent|documented, 200)
	ProjectsDelete           = row("projects.delete", "DELETE", API, project, Console, Empty, documented, 204)
	ProjectsGetClientKey     = row("projects.get_client_key", "GET", API, project+"/api_key", Console, Data, documented, 200)
	ProjectsRefreshClientKey = row("projects.refresh_client_key", "POST", API, project+"/api_key", Console, Data, documented, 200)
	ProjectsDataRoutes       = row("projects.data_routes", "GET", API, project+"/data-routes", Console, List, 0, 200)

	ArtifactsUploadForRelease = row("artifacts.upload_for_release", "POST", API, project+"/releases/{release_version}/artifacts", Console, Empty, documented, 202)
	ArtifactsListForRelease   = row("artifacts.list_for_release", "GET", API, project+"/releases/{release_version}/artifacts", Console, List, documented, 200)

	ReleaseArtifactsCreate = row("release_artifacts.create", "POST", API, project+"/release-artifacts", Console, Empty, documented, 202).
				without("`Uploads.OTAPayload` sends `upload.commit_ota_payload` instead, as Memfault's own programs do")

	ReleasesCreate    = row("releases.create", "POST", API, project+"/releases", Console, Data, documented, 200)
	ReleasesList      = row("releases.list", "GET", API, project+"/releases", Console, List, documented, 200)
	ReleasesRetrieve  = row("releases.retrieve", "GET", API, project+"/releases/{release_version}", Console, Data, documented, 200)
	ReleasesUpdate    = row("releases.update", "PATCH", API, project+"/releases/{release_version}", Console, Data, idempotent|documented, 200)
	ReleasesDelete    = row("releases.delete", "DELETE", API, project+"/releases/{release_version}", Console, Empty, documented, 204)
	ReleasesLatest    = row("releases.latest", "GET", Device, "/api/v0/releases/latest", ProjectKey, Bare, documented, 200, 204)
	ReleasesLatestURL = row("releases.latest_url", "GET", Device, "/api/v0/releases/latest/url", ProjectKey, Text, documented, 200, 204)

	DeltaReleasesList = row("delta_releases.list", "GET", API, project+"/delta-releases", Console, List, 0, 200)

	CohortsCreate      = row("cohorts.create", "POST", API, project+"/cohorts", Console, Data, documented, 200)
	CohortsList        = row("cohorts.list", "GET", API, project+"/cohorts", Console, List, documented, 200)
	CohortsRetrieve    = row("cohorts.retrieve", "GET", API, project+"/cohorts/{cohort_slug}", Console, Data, documented, 200)
	CohortsUpdate      = row("cohorts.update", "PATCH", API, project+"/cohorts/{cohort_slug}", Console, Data, idempotent|documented, 200)
	CohortsDelete      = row("cohorts.delete", "DELETE", API, project+"/cohorts/{cohort_slug}", Console, Empty, documented, 204)
	CohortsListDevices = row("cohorts.list_devices", "GET", API, project+"/cohorts/{cohort_slug}/devices", Console, List, documented, 200)
	CohortsMoveDevices = row("cohorts.move_devices", "PATCH", API, project+"/cohorts/{cohort_slug}/devices", Console, Empty, idempotent|documented, 202, 204).
				without("its request body is unknown; `Cohorts.MoveDevices` sends `devices.update` instead")

	DeploymentsCreate     = row("deployments.create", "POST", API, project+"/deployments", Console, Data, documented, 200)
	DeploymentsList       = row("deployments.list", "GET", API, project+"/deployments", Console, List, documented, 200)
	DeploymentsRetrieve   = row("deployments.retrieve", "GET", API, project+"/deployments/{deployment_id}", Console, Data, documented, 200)
	DeploymentsUpdate     = row("deployments.update", "PATCH", API, project+"/deployments/{deployment_id}", Console, Data, idempotent|documented, 200)
	DeploymentsDeactivate = row("deployments.deactivate", "DELETE", API, project+"/deployments/{deployment_id}", Console, Empty, 0, 204)

	DevicesCreate   = row("devices.create", "POST", API, project+"/devices", Console, Data, documented, 200, 202)
	DevicesList     = row("devices.list", "GET", API, project+"/devices", Console, List, documented, 200)
	DevicesRetrieve = row("devices.retrieve", "GET", API, project+"/devices/{device_serial}", Console, Data, documented, 200)
	DevicesUpdate   = row("devices.update", "PATCH", API, project+"/devices/{device_serial}", Console, Data, idempotent|documented, 200, 202)
	DevicesDelete   = row("devices.delete", "DELETE", API, project+"/devices/{device_serial}", Console, Empty, documented, 204)

	DeviceAttributesList             = row("device_attributes.list", "GET", API, project+"/devices/{device_serial}/attributes", Console, List, documented, 200)
	DeviceAttributesUpdate           = row("device_attributes.update", "PATCH", API, project+"/devices/{device_serial}/attributes", Console, Empty, idempotent, 204)
	DeviceAttributesUpdateProjectKey = row("device_attributes.update_project_key", "PATCH", Device, "/api/v0/attributes", ProjectKey, Empty, idempotent|documented, 204)

	DeviceRebootsList = row("device_reboots.list", "GET", API, project+"/devices/{device_serial}/reboots", Console, List, 0, 200)

	DeviceLogFilesList     = row("device_log_files.list", "GET", API, project+"/devices/{device_serial}/log-files", Console, List, 0, 200)
	DeviceLogFilesDownload = row("device_log_files.download", "GET", API, project+"/devices/{device_serial}/log-files/{cid}/download", Console, Stream, 0, 200)

	DeviceCustomDataRecordingsList = row("device_custom_data_recordings.list", "GET", API, project+"/devices/{device_serial}/custom-data-recordings", Console, List, 0, 200)

	CustomDataRecordingsList     = row("custom_data_recordings.list", "GET", API, project+"/custom-data-recordings", Console, List, 0, 200)
	CustomDataRecordingsDownload = row("custom_data_recordings.download", "GET", API, project+"/custom-data-recording/{id}/download", Console, Stream, 0, 200)

	DeviceConfigFetch = row("device_config.fetch", "POST", Device, "/api/v0/device-config", ProjectKey, Data, idempotent, 200)

	SDKSettingsGet = row("sdk_settings.get", "GET", Device, "/api/v0/sdk-settings", ProjectKey, Data, 0, 200)

	EventsUpload   = row("events.upload", "POST", Ingress, "/api/v0/events", ProjectKey, Empty, documented, 202)
	EventsList     = row("events.list", "GET", API, project+"/events", Console, List, documented, 200)
	EventsRetrieve = row("events.retrieve", "GET", API, project+"/events/{event_id}", Console, Data, documented, 200)

	EventLogList = row("event_log.list", "GET", API, project+"/event-log", Console, List, 0, 200)

	ChroniclerLogsList = row("chronicler_logs.list", "GET", API, project+"/chronicler-logs", Console, List, 0, 200)

	IssuesList       = row("issues.list", "GET", API, project+"/issues", Console, List, documented, 200)
	IssuesRetrieve   = row("issues.retrieve", "GET", API, project+"/issues/{issue_id}", Console, Data, documented, 200)
	IssuesUpdate     = row("issues.update", "PATCH", API, project+"/issues/{issue_id}", Console, Data, idempotent|documented, 200)
	IssuesDelete     = row("issues.delete", "DELETE", API, project+"/issues/{issue_id}", Console, Empty, documented, 204)
	IssuesFirstTrace = row("issues.first_trace", "GET", API, project+"/issues/{issue_id}/first-trace", Console, Data, 0, 200)

	TracesList     = row("traces.list", "GET", API, project+"/traces", Console, List, 0, 200)
	TracesRetrieve = row("traces.retrieve", "GET", API, project+"/traces/{trace_id}", Console, Data, documented, 200)

	CoredumpsList     = row("coredumps.list", "GET", API, project+"/coredumps", Console, List, 0, 200)
	CoredumpsDownload = row("coredumps.download", "GET", API, project+"/coredumps/{coredump_id}/download", Console, Stream, 0, 200)

	SymbolsDownload = row("symbols.download", "GET", API, project+"/symbols/{symbol_id}/download", Console, Stream, 0, 200)

	ELFCoredumpsList = row("elf_coredumps.list", "GET", API, project+"/elf_coredumps", Console, List, 0, 200)

	ReportsList = row("reports.list", "GET", API, project+"/reports", Console, List, 0, 200)

	CustomMetricsCreate = row("custom_metrics.create", "POST", API, project+"/custom-metrics", Console, Data, 0, 200)

	InstallsList     = row("installs.list", "GET", API, project+"/installs", Console, List, documented, 200)
	InstallsRetrieve = row("installs.retrieve", "GET", API, project+"/installs/{install_id}", Console, Data, documented, 200)
	InstallsDelete   = row("installs.delete", "DELETE", API, project+"/installs/{install_id}", Console, Empty, documented, 204)

	SoftwareTypesList   = row("software_types.list", "GET", API, project+"/software_types", Console, List, 0, 200)
	SoftwareTypesCreate = row("software_types.create", "POST", API, project+"/software_types", Console, Data, documented, 200)

	SoftwareVersionsList                = row("software_versions.list", "GET", API, project+"/software_types/{software_type}/software_versions", Console, List, documented, 200)
	SoftwareVersionsCreate              = row("software_versions.create", "POST", API, project+"/software_types/{software_type_slug}/software_versions", Console, Data, documented, 200)
	SoftwareVersionsRetrieve            = row("software_versions.retrieve", "GET", API, project+"/software_types/{software_type}/software_versions/{version}", Console, Data, documented, 200)
	SoftwareVersionsUploadSymbolsLegacy = row("software_versions.upload_symbols_legacy", "POST", Files, project+"/software_types/{software_type}/software_versions/{version}/artifacts/symbols", Console, Empty, 0, 200)

	HardwareVersionsCreate = row("hardware_versions.create", "POST", API, project+"/hardware_versions", Console, Data, 0, 200)

	AlertsUpdate = row("alerts.update", "PATCH", API, project+"/alerts/{alert_id}", Console, Data, idempotent, 200)

	ChunksUpload = row("chunks.upload", "POST", Chunks, "/api/v0/chunks/{device_serial}", ProjectKey, Empty, idempotent|documented, 202)

	UploadPrepareProjectKey                = row("upload.prepare_project_key", "POST", Files, "/api/v0/upload", ProjectKey, Data, idempotent|documented, 200)
	UploadPrepareBasicAuth                 = row("upload.prepare_basic_auth", "POST", Files, project+"/upload", Console, Data, idempotent|documented, 200)
	UploadPutFile                          = row("upload.put_file", "PUT", Presigned, "{upload_url}", NoCredential, Empty, documented, 200)
	UploadCommitCoredump                   = row("upload.commit_coredump", "POST", Files, "/api/v0/upload/coredump", ProjectKey, Empty, documented, 202)
	UploadCoredumpRawLegacy                = row("upload.coredump_raw_legacy", "POST", Ingress, "/api/v0/upload/coredump", ProjectKey, Empty, documented, 202)
	UploadCommitBugreport                  = row("upload.commit_bugreport", "POST", Files, "/api/v0/upload/bugreport", ProjectKey, Empty, documented, 202)
	UploadCommitMAR                        = row("upload.commit_mar", "POST", Files, "/api/v0/upload/mar", ProjectKey, Empty, documented, 202)
	UploadCommitCustomDataRecording        = row("upload.commit_custom_data_recording", "POST", Files, "/api/v0/upload/custom-data-recording", ProjectKey, Empty, documented, 202)
	UploadCommitELFCoredump                = row("upload.commit_elf_coredump", "POST", Files, "/api/v0/upload/elf_coredump", ProjectKey, Empty, 0, 202)
	UploadCommitXED                        = row("upload.commit_xed", "POST", Files, "/api/v0/upload/qc/x", ProjectKey, Empty, 0, 202)
	UploadTraceImport                      = row("upload.trace_import", "POST", API, "/api/v0/upload/trace-import", ProjectKey, Empty, documented, 202)
	UploadCommitCoredumpProject            = row("upload.commit_coredump_project", "POST", Files, project+"/coredumps", Console, Empty, 0, 200)
	UploadCommitBugreportProject           = row("upload.commit_bugreport_project", "POST", Files, project+"/bugreports", Console, Empty, 0, 200)
	UploadCommitMARProject                 = row("upload.commit_mar_project", "POST", Files, project+"/mar", Console, Empty, 0, 200)
	UploadCommitCustomDataRecordingProject = row("upload.commit_custom_data_recording_project", "POST", Files, project+"/custom-data-recording", Console, Empty, 0, 200)
	UploadCommitELFCoredumpProject         = row("upload.commit_elf_coredump_project", "POST", Files, project+"/elf_coredumps", Console, Empty, 0, 200)
	UploadCommitXEDProject                 = row("upload.commit_xed_project", "POST", Files, project+"/qc/x", Console, Empty, 0, 200)
	UploadCommitSymbols                    = row("upload.commit_symbols", "POST", Files, project+"/symbols", Console, Empty, documented, 202, 200)

	SymbolsExistsByGNUBuildID = row("symbols.exists_by_gnu_build_id", "HEAD", Files, project+"/symbols-by-gnu-build-id/{gnu_build_id}", Console, Empty, 0, 200)

	UploadCommitOTAPayload = row("upload.commit_ota_payload", "POST", Files, project+"/releases/ota_payload", Console, Empty, 0, 200, 202)
	UploadCommitSBOM       = row("upload.commit_sbom", "POST", Files, project+"/sboms", Console, Empty, 0, 200)

	TasksGetStatus = row("tasks.get_status", "GET", API, "/api/v0/queue/{task_id}", Console|ProjectKey, Bare, documented, 200)

	ProcessingLogList = row("processing_log.list", "GET", API, project+"/processing-log", Console, List, documented, 200)

	MCPCall = row("mcp.call", "POST", API, project+"/mcp", Console, Bare, 0, 200)
)

// row adds an operation to the table.
func row(name, method string, host Host, path string, credentials Credential, reply Reply, traits trait, success ...int) *Operation {
	op := &Operation{Name: name, Method: method, Host: host, Path: path, Credentials: credentials, Reply: reply, traits: traits, Success: success}
	table = append(table, op)
	return op
}
