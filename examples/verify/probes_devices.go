package main

import (
	"context"
	"io"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/operation"
)

func deviceProbes() []probe {
	return []probe{
		object(operation.DevicesRetrieve, []string{"device"}, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.Device, error) {
			return c.Devices.Get(ctx, s.project, s.known["device"])
		}, nil),
		list(operation.DeviceAttributesList, []string{"device"}, func(s *session, c *memfault.Client) *memfault.Pager[memfault.DeviceAttribute] {
			return c.Devices.ListAttributes(s.project, s.known["device"], memfault.DeviceAttributeListOptions{ListOptions: onePage})
		}, nil).ofDevice(),
		list(operation.DeviceRebootsList, []string{"device"}, func(s *session, c *memfault.Client) *memfault.Pager[memfault.Reboot] {
			return c.Devices.ListReboots(s.project, s.known["device"], memfault.RebootListOptions{ListOptions: onePage})
		}, nil).settles(newestFirst("time")).ofDevice(),
		list(operation.DeviceLogFilesList, []string{"device"}, func(s *session, c *memfault.Client) *memfault.Pager[memfault.LogFile] {
			return c.Devices.ListLogFiles(s.project, s.known["device"], memfault.LogFileListOptions{ListOptions: onePage})
		}, func(s *session, files []memfault.LogFile) {
			for i, file := range files {
				s.keep("device with a log file", s.known["device"])
				s.keep("log file", file.CID)
				if i > 0 {
					s.keep("second log file", file.CID)
				}
			}
		}).ofDevice(),
		file(operation.DeviceLogFilesDownload, []string{"log file"}, func(ctx context.Context, s *session, c *memfault.Client, w io.Writer) (*memfault.DownloadResult, error) {
			return c.Devices.DownloadLogFile(ctx, s.project, s.known["device with a log file"], s.known["log file"], w)
		}),
		list(operation.CustomDataRecordingsList, nil, func(s *session, c *memfault.Client) *memfault.Pager[memfault.CustomDataRecording] {
			return c.Recordings.List(s.project, memfault.RecordingListOptions{ListOptions: onePage})
		}, func(s *session, recordings []memfault.CustomDataRecording) {
			for _, recording := range recordings {
				s.keep("recording", recording.ID)
				s.keep("device with a recording", recording.DeviceSerial())
			}
		}).settles(afterRecordings),
		list(operation.DeviceCustomDataRecordingsList, []string{"device"}, func(s *session, c *memfault.Client) *memfault.Pager[memfault.CustomDataRecording] {
			s.keep("device with a recording", s.known["device"])
			return c.Recordings.ListForDevice(s.project, s.known["device with a recording"], memfault.DeviceRecordingListOptions{ListOptions: onePage})
		}, func(s *session, recordings []memfault.CustomDataRecording) {
			for i, recording := range recordings {
				s.keep("recording", recording.ID)
				if i > 0 {
					s.keep("second recording of a device", recording.ID)
				}
			}
		}).settles(afterRecordings),
		file(operation.CustomDataRecordingsDownload, []string{"recording"}, func(ctx context.Context, s *session, c *memfault.Client, w io.Writer) (*memfault.DownloadResult, error) {
			return c.Recordings.Download(ctx, s.project, s.known["recording"], w)
		}),
	}
}

// keyProbes returns the probes that need a project key, or serve one too.
func keyProbes() []probe {
	latest := []string{"device", "hardware version", "current software type"}
	query := func(s *session) memfault.LatestReleaseQuery {
		return memfault.LatestReleaseQuery{
			DeviceSerial: s.known["device"], HardwareVersion: s.known["hardware version"],
			SoftwareType: s.known["current software type"], CurrentVersion: s.known["current version"],
		}
	}
	return []probe{
		object(operation.ReleasesLatest, latest, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.Release, error) {
			release, err := c.Releases.Latest(ctx, query(s))
			if err != nil {
				return nil, err
			}
			return &release.Release, nil
		}, nil),
		object(operation.ReleasesLatestURL, latest, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.LatestReleaseURL, error) {
			return c.Releases.LatestURL(ctx, query(s))
		}, nil),
		object(operation.SDKSettingsGet, nil, func(ctx context.Context, s *session, c *memfault.Client) (*keptJSON, error) {
			softwareType := s.known["software type"]
			if softwareType == "" {
				softwareType = "main"
			}
			settings, err := c.DeviceConfig.SDKSettings(ctx, softwareType)
			return &keptJSON{settings}, err
		}, nil),
		object(operation.TasksGetStatus, nil, func(ctx context.Context, _ *session, c *memfault.Client) (*memfault.Task, error) {
			return c.Tasks.Get(ctx, unknownUUID)
		}, nil).settles(afterTask),
	}
}
