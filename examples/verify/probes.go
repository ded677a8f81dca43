package main

import (
	"context"
	"slices"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/operation"
)

var onePage = memfault.ListOptions{PerPage: pageSize}

// probes returns the probes of all reading operations, in the order in which they learn from
// each other.
func probes() []probe {
	return slices.Concat(accountProbes(), fleetProbes(), deviceProbes(), releaseProbes(), diagnosticProbes(), eventProbes(), keyProbes())
}

// probeOf returns the probe of an operation.
func probeOf(name string) probe {
	all := probes()
	return all[slices.IndexFunc(all, func(p probe) bool { return p.op.Name == name })]
}

// apiKey is the response with a key. The client returns only the key.
type apiKey struct {
	APIKey string `json:"api_key"`
}

func keyOf(get func(context.Context, *session, *memfault.Client) (string, error)) func(context.Context, *session, *memfault.Client) (*apiKey, error) {
	return func(ctx context.Context, s *session, c *memfault.Client) (*apiKey, error) {
		key, err := get(ctx, s, c)
		return &apiKey{key}, err
	}
}

func accountProbes() []probe {
	return []probe{
		object(operation.AuthMe, nil, func(ctx context.Context, _ *session, c *memfault.Client) (*memfault.User, error) {
			return c.Account.Me(ctx)
		}, nil).settles(afterMe),
		object(operation.AuthGetUserAPIKey, nil, keyOf(func(ctx context.Context, _ *session, c *memfault.Client) (string, error) {
			return c.Account.GetAPIKey(ctx)
		}), nil).settles(afterUserKey),
		list(operation.OrganizationsList, nil, func(_ *session, c *memfault.Client) *memfault.Pager[memfault.Organization] {
			return c.Organizations.List(memfault.OrganizationListOptions{ListOptions: onePage})
		}, nil).settles(afterForm("organizations-list-form")),
		object(operation.OrganizationsRetrieve, nil, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.Organization, error) {
			return c.Organizations.Get(ctx, s.project.Organization)
		}, nil).settles(afterForm("organizations-retrieve-form")),
		list(operation.ProjectsList, nil, func(s *session, c *memfault.Client) *memfault.Pager[memfault.Project] {
			return c.Projects.List(s.project.Organization, memfault.ProjectListOptions{ListOptions: onePage})
		}, nil),
		object(operation.ProjectsRetrieve, nil, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.Project, error) {
			return c.Projects.Get(ctx, s.project)
		}, nil),
		object(operation.ProjectsGetClientKey, nil, keyOf(func(ctx context.Context, s *session, c *memfault.Client) (string, error) {
			return c.Projects.GetProjectKey(ctx, s.project)
		}), nil),
		list(operation.ProjectsDataRoutes, nil, func(s *session, c *memfault.Client) *memfault.Pager[memfault.DataRoute] {
			return c.Projects.ListDataRoutes(s.project, memfault.DataRouteListOptions{ListOptions: onePage})
		}, nil),
	}
}

func fleetProbes() []probe {
	return []probe{
		list(operation.CohortsList, nil, func(s *session, c *memfault.Client) *memfault.Pager[memfault.Cohort] {
			return c.Cohorts.List(s.project, memfault.CohortListOptions{ListOptions: onePage})
		}, func(s *session, cohorts []memfault.Cohort) {
			for _, cohort := range cohorts {
				if cohort.CountDevices > 0 {
					s.keep("cohort", cohort.Slug)
				}
			}
			for _, cohort := range cohorts {
				s.keep("cohort", cohort.Slug)
			}
		}),
		object(operation.CohortsRetrieve, []string{"cohort"}, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.Cohort, error) {
			return c.Cohorts.Get(ctx, s.project, s.known["cohort"])
		}, nil),
		list(operation.CohortsListDevices, []string{"cohort"}, func(s *session, c *memfault.Client) *memfault.Pager[memfault.Device] {
			return c.Cohorts.ListDevices(s.project, s.known["cohort"], memfault.CohortDeviceListOptions{ListOptions: onePage})
		}, nil),
		list(operation.DevicesList, nil, func(s *session, c *memfault.Client) *memfault.Pager[memfault.Device] {
			return c.Devices.List(s.project, memfault.DeviceListOptions{ListOptions: onePage})
		}, keepDevices).settles(afterDevices),
		list(operation.SoftwareTypesList, nil, func(s *session, c *memfault.Client) *memfault.Pager[memfault.SoftwareType] {
			return c.Software.ListTypes(s.project, memfault.SoftwareTypeListOptions{ListOptions: onePage})
		}, func(s *session, types []memfault.SoftwareType) {
			for _, t := range types {
				if v := t.LatestSoftwareVersion; v != nil && s.known["software version"] == "" {
					s.keep("software version", v.Version)
					s.keep("software type of the version", t.Name)
				}
				s.keep("software type", t.Name)
			}
		}),
		list(operation.SoftwareVersionsList, []string{"software type"}, func(s *session, c *memfault.Client) *memfault.Pager[memfault.SoftwareVersion] {
			return c.Software.ListVersions(s.project, s.known["software type"], memfault.SoftwareVersionListOptions{ListOptions: onePage})
		}, nil).mayBeAbsent("software-versions-list").settles(afterExistence),
		object(operation.SoftwareVersionsRetrieve, []string{"software version", "software type of the version"}, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.SoftwareVersion, error) {
			return c.Software.GetVersion(ctx, s.project, s.known["software type of the version"], s.known["software version"])
		}, nil),
		list(operation.InstallsList, nil, func(s *session, c *memfault.Client) *memfault.Pager[memfault.Install] {
			return c.Installs.List(s.project, memfault.InstallListOptions{ListOptions: onePage})
		}, func(s *session, installs []memfault.Install) {
			for _, install := range installs {
				s.keepID("install", install.ID)
			}
		}).settles(afterStatuses("install-statuses", "success")),
		object(operation.InstallsRetrieve, []string{"install"}, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.Install, error) {
			return c.Installs.Get(ctx, s.project, s.id("install"))
		}, nil),
	}
}

func keepDevices(s *session, devices []memfault.Device) {
	keep := func(d memfault.Device) {
		if s.known["device"] == "" {
			s.keep("hardware version", d.HardwareVersion.Name)
			if v := d.LastSeenSoftwareVersion; v != nil {
				s.keep("current version", v.Version)
				s.keep("current software type", v.SoftwareType.Name)
			}
		}
		s.keep("device", d.DeviceSerial)
	}
	for _, d := range devices {
		if d.LastSeenSoftwareVersion != nil {
			keep(d)
		}
	}
	for _, d := range devices {
		keep(d)
	}
	for _, d := range devices {
		if d.DeviceSerial != s.known["device"] && len(s.moreDevices) < 3 {
			s.moreDevices = append(s.moreDevices, d.DeviceSerial)
			s.keep("second device", d.DeviceSerial)
		}
	}
}
