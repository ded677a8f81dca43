package memfault

import (
	"context"
	"encoding/json"

	"github.com/memfault-go/memfault/internal/operation"
)

// ProjectsService manages the projects of an organization.
type ProjectsService struct{ client *Client }

// Project is a product, with its devices and releases.
type Project struct {
	ID                     int64                `json:"id"`
	Name                   string               `json:"name"`
	Slug                   string               `json:"slug"`
	Platform               string               `json:"platform"`
	OS                     string               `json:"os"`
	APIKey                 string               `json:"api_key"` // the project key
	CountDevices           int                  `json:"count_devices"`
	CountDeployments       int                  `json:"count_deployments"`
	AlertsEnabled          bool                 `json:"alerts_enabled"`
	BugreportExportEnabled bool                 `json:"bugreport_export_enabled"`
	ChunksDebugLogLength   int                  `json:"chunks_debug_log_length"`
	DashboardEnabled       bool                 `json:"dashboard_enabled"`
	DeviceLinkStrategies   []ProjectIntegration `json:"device_link_strategies"`
	EventDebugLogLength    int                  `json:"event_debug_log_length"`
	Integrations           []ProjectIntegration `json:"integrations"`
	LegacyLatestAPIEnabled bool                 `json:"legacy_latest_api_enabled"`
	MetricChartEnabled     bool                 `json:"metric_chart_enabled"`
	MultiComponentEnabled  bool                 `json:"multi_component_enabled"`
	PrimarySoftwareType    string               `json:"primary_software_type"`
	QcommEnabled           bool                 `json:"qcomm_enabled"` // accepts Qualcomm XED dumps
	SetupDetails           *ProjectSetupDetails `json:"setup_details"`
	VersioningScheme       string               `json:"versioning_scheme"`
	CreatedDate            Timestamp            `json:"created_date"`
	UpdatedDate            Timestamp            `json:"updated_date"`
}

// ProjectIntegration identifies an integration, or a way to link devices.
type ProjectIntegration struct {
	Name string `json:"name"`
}

// ProjectSetupDetails describes the product as it was entered when the project was set up.
type ProjectSetupDetails struct {
	OperatingSystem           []string        `json:"operating_system"`
	OperatingSystemOther      *string         `json:"operating_system_other"`
	Compiler                  []string        `json:"compiler"`
	CompilerOther             *string         `json:"compiler_other"`
	BuildToolchain            []string        `json:"build_toolchain"`
	BuildToolchainOther       *string         `json:"build_toolchain_other"`
	ProgrammingLanguages      []string        `json:"programming_languages"`
	ProgrammingLanguagesOther *string         `json:"programming_languages_other"`
	DebuggingToolchain        []string        `json:"debugging_toolchain"`
	DebuggingToolchainOther   *string         `json:"debugging_toolchain_other"`
	Connectivity              []string        `json:"connectivity"`
	ConnectivityOther         *string         `json:"connectivity_other"`
	PrimaryChip               *string         `json:"primary_chip"`
	PrimaryChipOther          *string         `json:"primary_chip_other"`
	AdditionalChips           json.RawMessage `json:"additional_chips"`  // form unknown
	GMSCertification          json.RawMessage `json:"gms_certification"` // form unknown
}

// ProjectCreate describes a new project.
type ProjectCreate struct {
	Name     string `json:"name"` // required
	Slug     string `json:"slug"` // required, unique
	Platform string `json:"platform,omitempty"`
	OS       string `json:"os,omitempty"`
}

// ProjectUpdate contains the fields of a project to change.
type ProjectUpdate struct {
	Name     Opt[string] `json:"name,omitzero"`
	Slug     Opt[string] `json:"slug,omitzero"`
	Platform Opt[string] `json:"platform,omitzero"`
	OS       Opt[string] `json:"os,omitzero"`
}

// SortCreatedDate sorts a list by the creation date of its items.
const SortCreatedDate = "created_date"

// ProjectListOptions filters and sorts projects. The sort key is [SortCreatedDate].
type ProjectListOptions struct {
	ListOptions
	Name     []string `url:"name,omitempty"`
	Platform []string `url:"platform,omitempty"`
	OS       []string `url:"os,omitempty"`
}

// DataRoute is a way for data to reach a project. Fields other than Token are unknown.
type DataRoute struct {
	Token string `json:"token"` // a project key
}

// DataRouteListOptions selects a page of data routes.
type DataRouteListOptions struct {
	ListOptions
}

// List returns the projects of an organization.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/list-projects
func (s *ProjectsService) List(organizationSlug string, options ProjectListOptions, opts ...CallOption) *Pager[Project] {
	return list[Project](clientOf(s), operation.ProjectsList, []string{organizationSlug}, options, opts)
}

// Get returns a project.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/retrieve-project
func (s *ProjectsService) Get(ctx context.Context, project ProjectRef, opts ...CallOption) (*Project, error) {
	return fetch[Project](ctx, clientOf(s), operation.ProjectsRetrieve, requestParams{path: project.path()}, opts)
}

// Create creates a project. Only administrators of the organization may do so.
//
// If the name or the slug is in use, Create fails with [ErrConflict], according to Memfault's
// table of statuses. UNCERTAIN(project-create-token): whether Memfault accepts an
// [OrganizationToken].
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/create-project
func (s *ProjectsService) Create(ctx context.Context, organizationSlug string, create ProjectCreate, opts ...CallOption) (*Project, error) {
	return fetch[Project](ctx, clientOf(s), operation.ProjectsCreate, requestParams{path: []string{organizationSlug}, body: create}, opts)
}

// Update changes a project. Only administrators of the organization may do so.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/update-project
func (s *ProjectsService) Update(ctx context.Context, project ProjectRef, update ProjectUpdate, opts ...CallOption) (*Project, error) {
	return fetch[Project](ctx, clientOf(s), operation.ProjectsUpdate, requestParams{path: project.path(), body: update, once: !update.Slug.IsZero()}, opts)
}

// Delete removes a project with all its data. Only administrators of the organization may do
// so.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/delete-project
func (s *ProjectsService) Delete(ctx context.Context, project ProjectRef, opts ...CallOption) error {
	return exec(ctx, clientOf(s), operation.ProjectsDelete, requestParams{path: project.path()}, opts)
}

// GetProjectKey returns the project key, with which devices and gateways authenticate; see
// [ProjectKey]. Only administrators and project managers may read it.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/get-project-client-key
func (s *ProjectsService) GetProjectKey(ctx context.Context, project ProjectRef, opts ...CallOption) (string, error) {
	return fetchKey(ctx, clientOf(s), operation.ProjectsGetClientKey, requestParams{path: project.path()}, opts)
}

// RefreshProjectKey creates a new project key. Every device that still uses the old key stops
// reporting.
//
// RefreshProjectKey is not retried once it may have reached Memfault. If the response is lost,
// [ProjectsService.GetProjectKey] returns the new key.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Memfault: https://docs.memfault.com/api/refresh-project-client-key
func (s *ProjectsService) RefreshProjectKey(ctx context.Context, project ProjectRef, opts ...CallOption) (string, error) {
	return fetchKey(ctx, clientOf(s), operation.ProjectsRefreshClientKey, requestParams{path: project.path()}, opts)
}

// ListDataRoutes returns the data routes of a project.
//
// Credentials: [OrganizationToken], [BasicAPIKey] or [BasicPassword].
//
// Not documented by Memfault; observed only in a program of one chip maker.
func (s *ProjectsService) ListDataRoutes(project ProjectRef, options DataRouteListOptions, opts ...CallOption) *Pager[DataRoute] {
	return list[DataRoute](clientOf(s), operation.ProjectsDataRoutes, project.path(), options, opts)
}
