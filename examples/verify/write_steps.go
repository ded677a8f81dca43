package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/operation"
)

// writeSteps returns the steps that create and change something.
func writeSteps() []step {
	return []step{
		object(operation.CohortsCreate, nil, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.Cohort, error) {
			s.known["requested cohort"] = s.known["own name"]
			return createCohort(ctx, s, c)
		}, func(s *session, cohort *memfault.Cohort) { s.keep("own cohort", cohort.Slug) }),
		conflict("cohort that exists", "own cohort", func(ctx context.Context, s *session, c *memfault.Client) error {
			_, err := createCohort(ctx, s, c)
			return err
		}),
		object(operation.CohortsUpdate, []string{"own cohort"}, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.Cohort, error) {
			return c.Cohorts.Update(ctx, s.scratch, s.known["own cohort"], memfault.CohortUpdate{IgnoreTraces: memfault.Set(true)})
		}, func(s *session, cohort *memfault.Cohort) {
			s.decide("cohort-update-fields", cohort.IgnoreTraces, "a switch has the new value", "a switch has the old value")
		}).settles(rejectedMark("cohort-update-fields")),
		scratchDevices(),
		object(operation.DevicesCreate, []string{"own cohort", "hardware version of the project"}, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.Device, error) {
			s.known["requested device"] = s.known["own name"]
			return createDevice(ctx, s, c)
		}, func(s *session, device *memfault.Device) { s.keep("own device", device.DeviceSerial) }),
		conflict("device that exists", "own device", func(ctx context.Context, s *session, c *memfault.Client) error {
			_, err := createDevice(ctx, s, c)
			return err
		}),
		object(operation.DevicesUpdate, []string{"own device"}, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.Device, error) {
			return c.Devices.Update(ctx, s.scratch, s.known["own device"], memfault.DeviceUpdate{Nickname: memfault.Set("verify")})
		}, nil),
		ownAttributes(),
		nothing(operation.DeviceAttributesUpdate, []string{"own device", "attribute"}, func(ctx context.Context, s *session, c *memfault.Client) error {
			return c.Devices.UpdateAttributes(ctx, s.scratch, s.known["own device"], []memfault.AttributeValue{{StringKey: s.known["attribute"], Value: s.attributeValue}})
		}),
		object(operation.ReleasesCreate, nil, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.Release, error) {
			s.known["requested release"] = s.known["own version"]
			return createRelease(ctx, s, c)
		}, func(s *session, release *memfault.Release) { s.keep("own release", release.Version) }),
		conflict("release that exists", "own release", func(ctx context.Context, s *session, c *memfault.Client) error {
			_, err := createRelease(ctx, s, c)
			return err
		}),
		object(operation.ReleasesUpdate, []string{"own release"}, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.Release, error) {
			return c.Releases.Update(ctx, s.scratch, s.known["own release"], memfault.ReleaseUpdate{Notes: memfault.Set("created by examples/verify")})
		}, nil),
		object(operation.DeploymentsCreate, []string{"own cohort", "own release"}, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.Deployment, error) {
			s.known["requested deployment"] = s.known["own version"]
			return createDeployment(ctx, s, c)
		}, func(s *session, deployment *memfault.Deployment) { s.keepID("own deployment", deployment.ID) }),
		alreadyActive(),
		chunkOfUnknownLength(),
		conflict("release that is deployed", "own deployment", func(ctx context.Context, s *session, c *memfault.Client) error {
			return c.Releases.Delete(ctx, s.scratch, s.known["own release"])
		}),
		object(operation.DeploymentsUpdate, []string{"own deployment"}, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.Deployment, error) {
			update := memfault.DeploymentUpdate{RolloutPercent: memfault.Set(2), Status: memfault.Set(memfault.DeploymentStatusAborted)}
			return c.Deployments.Update(ctx, s.scratch, s.id("own deployment"), update)
		}, func(s *session, d *memfault.Deployment) {
			changed := d.RolloutPercent == 2 && d.Status == memfault.DeploymentStatusAborted
			s.decide("deployment-update-fields", changed, "both have the new value", "one has the old value")
		}).settles(rejectedMark("deployment-update-fields")),
	}
}

func createCohort(ctx context.Context, s *session, c *memfault.Client) (*memfault.Cohort, error) {
	name := s.known["own name"]
	return c.Cohorts.Create(ctx, s.scratch, memfault.CohortCreate{Name: name, Slug: name})
}

func createDevice(ctx context.Context, s *session, c *memfault.Client) (*memfault.Device, error) {
	return c.Devices.Create(ctx, s.scratch, memfault.DeviceCreate{
		DeviceSerial: s.known["own name"], HardwareVersion: s.known["hardware version of the project"], Cohort: s.known["own cohort"],
	})
}

func createRelease(ctx context.Context, s *session, c *memfault.Client) (*memfault.Release, error) {
	return c.Releases.Create(ctx, s.scratch, memfault.ReleaseCreate{Version: s.known["own version"]})
}

func createDeployment(ctx context.Context, s *session, c *memfault.Client) (*memfault.Deployment, error) {
	return c.Deployments.Create(ctx, s.scratch, memfault.DeploymentCreate{
		Type: memfault.DeploymentTypeStagedRollout, RolloutPercent: 1,
		Release: memfault.ReleaseVersion(s.known["own release"]), Cohort: s.known["own cohort"],
	})
}

// conflict returns a check that a request fails with 409.
func conflict(name, need string, send func(context.Context, *session, *memfault.Client) error) check {
	return check{
		name: name, needs: []string{need}, send: send,
		judge: func(_ *session, r *result, got *exchange, _ error) {
			if wantStatus(r, got, http.StatusConflict) {
				judgeError(r, got, wrongError)
			}
		},
	}
}

// chunkOfUnknownLength asks whether a chunk needs a Content-Length. The content type is wrong on
// purpose: Memfault checks it after the length, so that no data stays.
func chunkOfUnknownLength() check {
	const name = "chunks-transfer-encoding"
	return check{
		name: "chunk of unknown length", mark: name,
		send: func(ctx context.Context, s *session, c *memfault.Client) error {
			key, err := c.Projects.GetProjectKey(ctx, s.scratch)
			if err != nil {
				return err
			}
			body := io.MultiReader(strings.NewReader("not a chunk")) // hides the length
			req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.chunks+"/api/v0/chunks/"+s.known["own name"], body)
			if err != nil {
				return err
			}
			if err := memfault.ProjectKey(key).Authenticate(req); err != nil {
				return err
			}
			req.Header.Set("Content-Type", "text/plain")
			resp, err := s.recorder.RoundTrip(req)
			if err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, resp.Body)
			return errors.Join(err, resp.Body.Close())
		},
		judge: func(s *session, r *result, got *exchange, err error) {
			r.Reason = "the status is " + strconv.Itoa(got.status)
			if err == nil {
				s.decide(name, got.status != http.StatusLengthRequired, r.Reason, r.Reason)
			}
		},
	}
}

// rejectedMark refutes a mark if Memfault rejects the request.
func rejectedMark(mark string) func(*session, *result, *exchange) {
	return func(s *session, r *result, got *exchange) {
		if got.status == http.StatusBadRequest {
			s.decide(mark, false, "", "the status is 400")
			r.Outcome, r.Findings, r.Reason = absent, nil, "Memfault rejects the fields"
		}
	}
}

// scratchDevices learns a hardware version, which a new device needs.
func scratchDevices() probe {
	return list(operation.DevicesList, nil, func(s *session, c *memfault.Client) *memfault.Pager[memfault.Device] {
		return c.Devices.List(s.scratch, memfault.DeviceListOptions{ListOptions: onePage})
	}, func(s *session, devices []memfault.Device) {
		for _, d := range devices {
			s.keep("hardware version of the project", d.HardwareVersion.Name)
		}
	})
}

// ownAttributes learns an attribute that can be set.
func ownAttributes() probe {
	return list(operation.DeviceAttributesList, []string{"own device"}, func(s *session, c *memfault.Client) *memfault.Pager[memfault.DeviceAttribute] {
		return c.Devices.ListAttributes(s.scratch, s.known["own device"], memfault.DeviceAttributeListOptions{ListOptions: onePage})
	}, func(s *session, attributes []memfault.DeviceAttribute) {
		values := map[memfault.DataType]any{
			memfault.DataTypeInt: 1, memfault.DataTypeFloat: 1.5, memfault.DataTypeString: "verify", memfault.DataTypeBool: true,
		}
		for _, a := range attributes {
			if value, ok := values[a.CustomMetric.DataType]; ok && s.known["attribute"] == "" {
				s.keep("attribute", a.CustomMetric.StringKey)
				s.attributeValue = value
			}
		}
	})
}

// alreadyActive deploys what is deployed.
func alreadyActive() check {
	const mark = "already-active-status"
	return check{
		name: "deployment that is active", mark: mark, needs: []string{"own deployment"},
		send: func(ctx context.Context, s *session, c *memfault.Client) error {
			_, err := createDeployment(ctx, s, c)
			return err
		},
		judge: func(s *session, r *result, got *exchange, err error) {
			s.decide(mark, saysActive(err), "the status is "+strconv.Itoa(got.status), "the status is "+strconv.Itoa(got.status)+", without already active")
			if got.status >= 400 {
				judgeError(r, got, wrongError)
			}
		},
	}
}
