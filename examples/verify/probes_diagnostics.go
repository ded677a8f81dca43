package main

import (
	"context"
	"encoding/json"
	"io"
	"time"

	"github.com/memfault-go/memfault"
	"github.com/memfault-go/memfault/internal/operation"
)

// keptJSON is a model whose fields are unknown.
type keptJSON struct{ json.RawMessage }

func diagnosticProbes() []probe {
	return []probe{
		list(operation.IssuesList, nil, func(s *session, c *memfault.Client) *memfault.Pager[memfault.Issue] {
			return c.Issues.List(s.project, memfault.IssueListOptions{ListOptions: onePage})
		}, func(s *session, issues []memfault.Issue) {
			for _, issue := range issues {
				s.keepID("issue", issue.ID)
			}
		}).settles(afterIssues),
		object(operation.IssuesRetrieve, []string{"issue"}, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.Issue, error) {
			return c.Issues.Get(ctx, s.project, s.id("issue"))
		}, nil),
		object(operation.IssuesFirstTrace, []string{"issue"}, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.FirstTrace, error) {
			return c.Issues.FirstTrace(ctx, s.project, s.id("issue"), memfault.FirstTraceOptions{})
		}, nil).settles(afterFields("first-trace-fields", "data.threads")),
		list(operation.TracesList, nil, func(s *session, c *memfault.Client) *memfault.Pager[memfault.Trace] {
			return c.Traces.List(s.project, memfault.TraceListOptions{ListOptions: onePage})
		}, func(s *session, traces []memfault.Trace) {
			for _, trace := range traces {
				if trace.SourceType == memfault.TraceSourceCoredump {
					s.keepID("trace", trace.ID)
				}
			}
			for _, trace := range traces {
				s.keepID("trace", trace.ID)
			}
		}).settles(newestFirst("captured_date")),
		object(operation.TracesRetrieve, []string{"trace"}, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.Trace, error) {
			return c.Traces.Get(ctx, s.project, s.id("trace"))
		}, func(s *session, trace *memfault.Trace) {
			for _, coredump := range []*memfault.TraceCoredump{trace.Coredump, trace.ELFCoredump} {
				if coredump != nil && coredump.SymbolFile != nil && coredump.SymbolFile.Downloadable {
					s.keepID("symbol file", coredump.SymbolFile.ID)
				}
			}
			if trace.Coredump != nil {
				s.keepID("coredump", trace.Coredump.ID)
			}
		}),
		list(operation.CoredumpsList, nil, func(s *session, c *memfault.Client) *memfault.Pager[memfault.Coredump] {
			return c.Coredumps.List(s.project, memfault.CoredumpListOptions{ListOptions: onePage})
		}, func(s *session, coredumps []memfault.Coredump) {
			for _, coredump := range coredumps {
				s.keepID("coredump", coredump.ID)
			}
		}),
		file(operation.CoredumpsDownload, []string{"coredump"}, func(ctx context.Context, s *session, c *memfault.Client, w io.Writer) (*memfault.DownloadResult, error) {
			return c.Coredumps.Download(ctx, s.project, s.id("coredump"), w, memfault.CoredumpDownloadOptions{})
		}),
		file(operation.SymbolsDownload, []string{"symbol file"}, func(ctx context.Context, s *session, c *memfault.Client, w io.Writer) (*memfault.DownloadResult, error) {
			return c.Coredumps.DownloadSymbols(ctx, s.project, s.id("symbol file"), w)
		}),
		object(operation.SymbolsExistsByGNUBuildID, nil, func(ctx context.Context, s *session, c *memfault.Client) (*bool, error) {
			exist, err := c.Uploads.SymbolsExist(ctx, s.project, unknownBuildID)
			return &exist, err
		}, nil),
		list(operation.ELFCoredumpsList, nil, func(s *session, c *memfault.Client) *memfault.Pager[memfault.ELFCoredump] {
			return c.Coredumps.ListELF(s.project, memfault.ELFCoredumpListOptions{ListOptions: onePage})
		}, nil),
	}
}

func eventProbes() []probe {
	return []probe{
		list(operation.EventsList, nil, func(s *session, c *memfault.Client) *memfault.Pager[memfault.Event] {
			return c.Events.List(s.project, memfault.EventListOptions{ListOptions: onePage})
		}, func(s *session, events []memfault.Event) {
			for _, event := range events {
				s.keepID("event", event.ID)
			}
		}),
		object(operation.EventsRetrieve, []string{"event"}, func(ctx context.Context, s *session, c *memfault.Client) (*memfault.Event, error) {
			return c.Events.Get(ctx, s.project, s.id("event"))
		}, nil),
		list(operation.EventLogList, nil, func(s *session, c *memfault.Client) *memfault.Pager[memfault.EventLogEntry] {
			return c.Events.ListEventLog(s.project, memfault.EventLogListOptions{ListOptions: onePage})
		}, nil).mayBeAbsent("event-log-exists").settles(afterExistence),
		list(operation.ChroniclerLogsList, nil, func(s *session, c *memfault.Client) *memfault.Pager[memfault.ChroniclerLog] {
			return c.Events.ListChroniclerLogs(s.project, memfault.ChroniclerLogListOptions{ListOptions: onePage})
		}, nil),
		list(operation.ProcessingLogList, nil, func(s *session, c *memfault.Client) *memfault.Pager[memfault.ProcessingLogEntry] {
			yesterday := memfault.NewTimestamp(time.Now().Add(-24 * time.Hour))
			return c.ProcessingLog.List(s.project, memfault.ProcessingLogListOptions{Start: yesterday, PageSize: pageSize})
		}, nil).settles(afterProcessingLog),
		list(operation.ReportsList, nil, func(s *session, c *memfault.Client) *memfault.Pager[memfault.DeviceReport] {
			return c.Metrics.ListReports(s.project, memfault.DeviceReportListOptions{ListOptions: onePage})
		}, nil),
	}
}
