//go:build unix && !linux

package kafkatest

import "syscall"

// ownGroup makes the broker the head of a process group, which can be signalled as a whole.
func ownGroup() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
