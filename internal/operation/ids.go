package operation

// The IDs of the rows, in the order of the table.
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

	ProcessingLogList

	MCPCall

	count
)
