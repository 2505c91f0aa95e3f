package embedded

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// libraryInCache is where `make setup` puts the engine, below a .cache directory.
var libraryInCache = filepath.Join(".cache", "chdb", "libchdb.so")

// ErrNoLibrary is what FindLibrary's error wraps.
var ErrNoLibrary = errors.New("the ClickHouse engine is not installed: run make setup")

// FindLibrary returns the path of the engine's library: $QUELL_CHDB_LIB if it is set, else
// .cache/chdb/libchdb.so above or beside the running executable, else the one in the root of the
// module that the working directory is in (where the binaries of go test run).
func FindLibrary() (string, error) {
	if path := os.Getenv("QUELL_CHDB_LIB"); path != "" {
		if _, err := os.Stat(path); err != nil {
			return "", fmt.Errorf("QUELL_CHDB_LIB: %w; correct it, or unset it and run make setup", err)
		}
		return path, nil
	}
	var dirs []string
	if exe, err := os.Executable(); err == nil {
		if exe, err = filepath.EvalSymlinks(exe); err == nil {
			dirs = append(dirs, filepath.Join(filepath.Dir(exe), ".."), filepath.Dir(exe))
		}
	}
	if root, ok := moduleRoot(); ok {
		dirs = append(dirs, root)
	}
	for _, dir := range dirs {
		path := filepath.Join(dir, libraryInCache)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w (looked for %s in %q)", ErrNoLibrary, libraryInCache, dirs)
}

func moduleRoot() (string, bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}
