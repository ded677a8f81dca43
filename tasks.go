package memfault

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/memfault-go/memfault/internal/operation"
)

// TasksService reads how far jobs are that Memfault accepted with 202. The id of
// one is what Response.TaskID returns.
type TasksService struct{ client *Client }

// Task is a job that Memfault does later.
type Task struct {
	Status TaskStatus      `json:"status"`
	Reply  json.RawMessage `json:"-"` // the whole reply: what else it may hold is unknown
}

// UnmarshalJSON reads the status and keeps the whole.
func (t *Task) UnmarshalJSON(data []byte) error {
	type object Task
	if err := json.Unmarshal(data, (*object)(t)); err != nil {
		return err
	}
	return t.Reply.UnmarshalJSON(data)
}

// TaskStatus is how far a task is.
type TaskStatus string

// The final statuses of tasks. Memfault names only SUCCESS; the others are those of
// the job queues that such names come from, and UNCERTAIN.
const (
	TaskStatusSuccess TaskStatus = "SUCCESS"
	TaskStatusFailure TaskStatus = "FAILURE"
	TaskStatusRevoked TaskStatus = "REVOKED"
	TaskStatusError   TaskStatus = "ERROR"
)

// TaskError is a task that ended, but not with success.
type TaskError struct {
	TaskID string
	Task   Task
}

// Error names the task and its status.
func (e *TaskError) Error() string {
	return fmt.Sprintf("memfault: task %s ended with %s", e.TaskID, e.Task.Status)
}

// Get returns a task by its id, a UUID. Whether a project key may ask for a task
// that it started is UNCERTAIN; one program sends it, together with the credential
// of a user.
//
// Memfault: https://docs.memfault.com/api/tasks
func (s *TasksService) Get(ctx context.Context, taskID string, opts ...CallOption) (*Task, error) {
	return fetch[Task](ctx, clientOf(s), operation.TasksGetStatus, requestParams{path: []string{taskID}}, opts)
}

// Wait asks for a task again and again until it has ended, and returns it. One that
// ended without success is a *TaskError; a status that is no known end counts as
// still running, so ctx should have a deadline. Any failure to ask ends the wait.
//
// Memfault: https://docs.memfault.com/api/tasks
func (s *TasksService) Wait(ctx context.Context, taskID string, options WaitOptions, opts ...CallOption) (*Task, error) {
	return poll(ctx, "task "+taskID, options, func() (*Task, bool, error) {
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
}
