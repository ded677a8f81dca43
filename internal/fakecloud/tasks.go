package fakecloud

import (
	"fmt"

	"github.com/memfault-go/memfault/internal/operation"
)

// AddTask adds a task. Each request for the task returns the next status. When only the last
// status remains, every request returns it.
func (c *Cloud) AddTask(id string, statuses ...string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.keepTask(id, statuses)
}

func (c *Cloud) keepTask(id string, statuses []string) {
	if c.tasks == nil {
		c.tasks = map[string][]string{}
	}
	c.tasks[id] = append([]string(nil), statuses...)
}

// addTask adds a task for a response, and returns its ID.
func (c *Cloud) addTask(statuses ...string) (id string) {
	id = newUUID()
	c.keepTask(id, statuses)
	return id
}

func (c *Cloud) taskHandlers() map[*operation.Operation]handler {
	return map[*operation.Operation]handler{operation.TasksGetStatus: c.getTask}
}

func (c *Cloud) getTask(r *request) reply {
	id := r.PathValue("task_id")
	left := c.tasks[id]
	if len(left) == 0 {
		return notFound(fmt.Sprintf("Task with id `%s` not found", id))
	}
	if len(left) > 1 {
		c.tasks[id] = left[1:]
	}
	return bare(object{"status": left[0]})
}
