package memfault

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/memfault-go/memfault/internal/operation"
)

// TasksService reads the state of tasks: jobs that Memfault accepted with status 202 and
// completes later. [Response.TaskID] returns the ID of such a task.
type TasksService struct{ client *Client }

// Task is a job that Memfault completes later.
type Task struct {
	Status TaskStatus      `json:"status"`
	Reply  json.RawMessage `json:"-"` // the whole object; other fields are unknown
}

// UnmarshalJSON decodes the status and keeps the whole object in Reply.
func (t *Task) UnmarshalJSON(data []byte) error {
	type object Task
	if err := json.Unmarshal(data, (*object)(t)); err != nil {
		return err
	}
	return t.Reply.UnmarshalJSON(data)
}

func (t *Task) missing() string {
	if t.Status == "" {
		return "status"
	}
	return ""
}

// TaskStatus is the state of a task.
type TaskStatus string

// Final statuses of tasks.
//
// UNCERTAIN(task-statuses): whether Memfault uses statuses other than SUCCESS. The others are
// those of common job queues.
const (
	TaskStatusSuccess TaskStatus = "SUCCESS"
	TaskStatusFailure TaskStatus = "FAILURE"
	TaskStatusRevoked TaskStatus = "REVOKED"
	TaskStatusError   TaskStatus = "ERROR"
)

// TaskError is returned if a task ended without success.
type TaskError struct {
	TaskID string
	Task   Task
}

// Error returns a message with the ID and the status of the task.
func (e *TaskError) Error() string {
	return fmt.Sprintf("memfault: task %s ended with status %s", e.TaskID, e.Task.Status)
}

// Is reports whether target is [ErrUnexpectedResponse].
func (e *TaskError) Is(target error) bool { return target == ErrUnexpectedResponse }

// Get returns a task by its ID, a UUID.
//
// UNCERTAIN(task-project-key): whether a [ProjectKey] is sufficient to read a task that it
// started. One program sends it together with the credential of a user.
//
// Credentials: [OrganizationToken], [BasicAPIKey], [BasicPassword] or [ProjectKey].
//
// Memfault: https://docs.memfault.com/api/tasks
func (s *TasksService) Get(ctx context.Context, taskID string, opts ...CallOption) (*Task, error) {
	return fetch[Task](ctx, clientOf(s), operation.TasksGetStatus, requestParams{path: []string{taskID}}, opts)
}

// Wait polls a task until it has ended, and returns it. If the task ended without success,
// Wait fails with a [*TaskError]. It survives temporary failures; see [WaitOptions]. Any other
// error ends the wait.
//
// A status that is not known as final counts as running, so ctx should have a deadline.
//
// Credentials: [OrganizationToken], [BasicAPIKey], [BasicPassword] or [ProjectKey].
//
// Memfault: https://docs.memfault.com/api/tasks
func (s *TasksService) Wait(ctx context.Context, taskID string, options WaitOptions, opts ...CallOption) (*Task, error) {
	task, err := poll(ctx, options, func() (*Task, bool, error) {
		task, err := s.Get(ctx, taskID, opts...)
		if err != nil {
			return nil, false, err
		}
		switch task.Status {
		case TaskStatusSuccess:
			return task, true, nil
		case TaskStatusFailure, TaskStatusRevoked, TaskStatusError:
			return nil, false, &TaskError{TaskID: taskID, Task: *task}
		default:
			return nil, false, nil
		}
	})
	if isContextError(err) {
		err = newKindError(ErrNoAnswer, "waiting for task %s: %w", taskID, err)
	}
	return task, err
}
