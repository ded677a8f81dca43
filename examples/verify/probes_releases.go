package main

import (
	"context"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/operation"
)

func releaseProbes() []probe {
	return []probe{
		list(operation.ReleasesList, nil, func(s *session, c *memfault.Client) *memfault.Pager[memfault.Release] {
			return c.Releases.List(s.project, memfault.ReleaseListOptions{ListOptions: onePage})
		}, func(s *session, releases []memfault.Release) {
			for _, release := range releases {
				if len(release.Artifacts) > 0 && !release.IsDelta {
					s.keep("release", release.Version)
					s.keep("artifact type", string(release.Artifacts[0].Type))
				}
			}
			for _, release := range releases {
				s.keep("release", release.Version)
			}
		}),
		object(operation.ReleasesRetrieve, []string{"release"}, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.Release, error) {
			return c.Releases.Get(ctx, s.project, s.known["release"])
		}, nil),
		list(operation.ArtifactsListForRelease, []string{"release"}, func(s *session, c *memfault.Client) *memfault.Pager[memfault.Artifact] {
			return c.Artifacts.List(s.project, s.known["release"], memfault.ArtifactListOptions{ListOptions: onePage})
		}, nil).mayBeAbsent("artifacts-list-path").settles(afterExistence),
		list(operation.DeltaReleasesList, nil, func(s *session, c *memfault.Client) *memfault.Pager[memfault.ReleaseDelta] {
			return c.Releases.ListDeltas(s.project, memfault.DeltaReleaseListOptions{ListOptions: onePage})
		}, nil).settles(afterDeltas),
		list(operation.DeploymentsList, nil, func(s *session, c *memfault.Client) *memfault.Pager[memfault.Deployment] {
			return c.Deployments.List(s.project, memfault.DeploymentListOptions{ListOptions: onePage})
		}, func(s *session, deployments []memfault.Deployment) {
			for _, deployment := range deployments {
				s.keepID("deployment", deployment.ID)
			}
		}).settles(afterDeployments),
		object(operation.DeploymentsRetrieve, []string{"deployment"}, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.Deployment, error) {
			return c.Deployments.Get(ctx, s.project, s.id("deployment"))
		}, nil),
	}
}
