/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Curses would write to the terminal and wait for it. So it writes to a file in memory; what it has
 * written there goes to the terminal as fast as that takes it, through an open file of our own that
 * does not block (the shell's must stay as it is). The next frame is drawn when the last is gone.
 *
 * A handler of fatal signals has nothing but static data: `crash` is all of it in this program's
 * screen, written once before the handler is set.
 */
#include "term.h"

#include <errno.h>
#include <fcntl.h>
#include <langinfo.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

#include <curses.h>

#include "base/cleanup.h"
#include "base/text.h"

#define ESCAPE_MS 25	  /* so long after it, a key's sequence is no longer waited for */
#define LAST_WRITE_MS 500 /* so long a terminal has to take what restores it */
#define ERRORS_BYTES 8192 /* kept of standard error */
#define MOUSE_OFF "\033[?1006l\033[?1002l\033[?1000l"
#define WHOLE_SCREEN_SCROLLS "\033[r"
#define LEAST_HEIGHT 1

struct term {
	int tty;	/* our own open file, which does not block */
	FILE *in, *out; /* of curses: the terminal, and the file in memory */
	SCREEN *screen;
	struct termios before, during;
	int signals; /* stop, new size */
	int height, width;
	bool utf8;
	char *pending; /* not yet taken by the terminal */
	size_t n_pending, n_sent;
	int errors[2];	 /* pipe that standard error is */
	int errors_were; /* what it was */
	char said[ERRORS_BYTES];
	size_t n_said, n_told;
	char *message;
};

static struct {
	int tty, errors_were;
	struct termios before;
	char restore[256];
	size_t n_restore;
} crash;

static const int fatal_signals[] = {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE};

/* Called on a crash: only what POSIX calls async-signal-safe. Then the crash takes its course. */
static void restore_and_die(int signal)
{
	struct pollfd tty = {.fd = crash.tty, .events = POLLOUT};

	(void)poll(&tty, 1, LAST_WRITE_MS);
	if (write(crash.tty, crash.restore, crash.n_restore) < 0) {
		/* nothing is left to try */
	}
	(void)tcsetattr(crash.tty, TCSANOW, &crash.before);
	(void)dup2(crash.errors_were, STDERR_FILENO);
	(void)raise(signal);
}

/* SA_NODEFER: the signal that the handler raises again must not be blocked. */
static void watch_for_crash(const struct term *term)
{
	struct sigaction action = {.sa_handler = restore_and_die,
				   .sa_flags = (int)SA_RESETHAND | SA_NODEFER};

	crash.tty = term->tty;
	crash.before = term->before;
	crash.errors_were = term->errors_were;
	for (size_t i = 0; i < sizeof(fatal_signals) / sizeof(*fatal_signals); i++)
		(void)sigaction(fatal_signals[i], &action, NULL);
}

static void forget_crash(void)
{
	for (size_t i = 0; i < sizeof(fatal_signals) / sizeof(*fatal_signals); i++)
		(void)signal(fatal_signals[i], SIG_DFL);
}

static void collect(const char *sequence)
{
	while (*sequence && crash.n_restore < sizeof(crash.restore)) {
		if (sequence[0] == '$' && sequence[1] == '<') { /* a pause for terminals of old */
			sequence = strchr(sequence, '>');
			if (!sequence)
				return;
			sequence++;
			continue;
		}
		crash.restore[crash.n_restore++] = *sequence++;
	}
}

static bool has_capability(const char *name)
{
	const char *sequence = tigetstr(name);

	return sequence && sequence != (char *)-1;
}

/* What brings the terminal back, by its own description. */
static void collect_restore(void)
{
	const char *const capabilities[] = {"sgr0", "rmkx", "cnorm", "rmcup"};

	crash.n_restore = 0;
	collect(MOUSE_OFF);
	if (has_capability("csr"))
		collect(WHOLE_SCREEN_SCROLLS);
	for (size_t i = 0; i < sizeof(capabilities) / sizeof(*capabilities); i++) {
		if (has_capability(capabilities[i]))
			collect(tigetstr(capabilities[i]));
	}
}

/* Moves what curses has written to what is pending. Out of memory loses it: the next frame must be
 * drawn whole. */
static void take_written(struct term *term)
{
	int fd = fileno(term->out);
	off_t size;
	char *grown;

	(void)fflush(term->out);
	size = lseek(fd, 0, SEEK_CUR);
	if (size <= 0)
		return;
	grown = realloc(term->pending, term->n_pending + (size_t)size);
	if (grown) {
		term->pending = grown;
		if (pread(fd, grown + term->n_pending, (size_t)size, 0) == size)
			term->n_pending += (size_t)size;
	}
	(void)lseek(fd, 0, SEEK_SET);
}

/* Sends what the terminal takes now. True once nothing is pending. */
static bool send_pending(struct term *term)
{
	while (term->n_sent < term->n_pending) {
		ssize_t n = write(term->tty, term->pending + term->n_sent,
				  term->n_pending - term->n_sent);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		term->n_sent += (size_t)n;
	}
	term->n_sent = term->n_pending = 0;
	return true;
}

/* The same, waiting a little for a terminal that is slow. */
static void send_last(struct term *term)
{
	struct pollfd tty = {.fd = term->tty, .events = POLLOUT};

	take_written(term);
	while (!send_pending(term) && poll(&tty, 1, LAST_WRITE_MS) > 0 &&
	       !(tty.revents & (POLLERR | POLLHUP)))
		;
}

static void read_size(struct term *term)
{
	struct winsize size;

	term->height = LINES;
	term->width = COLS;
	if (ioctl(term->tty, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0) {
		term->height = size.ws_row;
		term->width = size.ws_col;
	}
	if (term->height < LEAST_HEIGHT)
		term->height = LEAST_HEIGHT;
}

/* Terminal modes and screen as we need them. */
static void take_over(struct term *term)
{
	(void)tcsetattr(term->tty, TCSADRAIN, &term->during);
	(void)dup2(term->errors[1], STDERR_FILENO);
	read_size(term);
	(void)resizeterm(term->height, term->width);
	(void)clearok(curscr, TRUE);
}

/* As they were before. */
static void give_back(struct term *term)
{
	(void)endwin();
	send_last(term);
	(void)tcsetattr(term->tty, TCSADRAIN, &term->before);
	(void)dup2(term->errors_were, STDERR_FILENO);
}

/* Okabe and Ito's colours, which the colour-blind can tell apart, in 256, then in 8 colours. */
static const struct {
	short fine, plain;
	attr_t with, without; /* attributes with colours and without */
} looks[ROLE_COUNT] = {
	[ROLE_PLAIN] = {-1, -1, A_NORMAL, A_NORMAL},
	[ROLE_DIM] = {245, -1, A_NORMAL, A_NORMAL},
	[ROLE_TITLE] = {-1, -1, A_BOLD, A_BOLD},
	[ROLE_HEADER] = {-1, -1, A_BOLD | A_UNDERLINE, A_BOLD | A_UNDERLINE},
	[ROLE_SELECTED] = {-1, -1, A_REVERSE, A_REVERSE},
	[ROLE_KEY] = {117, COLOR_CYAN, A_BOLD, A_BOLD},
	[ROLE_GOOD] = {36, COLOR_GREEN, A_NORMAL, A_NORMAL},
	[ROLE_WARN] = {214, COLOR_YELLOW, A_BOLD, A_BOLD},
	[ROLE_BAD] = {203, COLOR_RED, A_BOLD, A_BOLD},
	[ROLE_RUN] = {32, COLOR_BLUE, A_NORMAL, A_NORMAL},
	[ROLE_WAIT] = {214, COLOR_YELLOW, A_NORMAL, A_NORMAL},
	[ROLE_BLOCK] = {175, COLOR_MAGENTA, A_NORMAL, A_NORMAL},
	[ROLE_QUEUE] = {227, COLOR_RED, A_NORMAL, A_NORMAL},
	[ROLE_NOW] = {-1, -1, A_NORMAL, A_NORMAL},
	[ROLE_TUNED] = {117, COLOR_CYAN, A_NORMAL, A_NORMAL},
	[ROLE_ASYNC] = {36, COLOR_GREEN, A_BOLD, A_BOLD},
};

/* no-color.org */
static bool wants_colours(void)
{
	const char *no = getenv("NO_COLOR");

	return has_colors() && (!no || !*no);
}

static void set_colours(void)
{
	if (!wants_colours() || start_color() == ERR)
		return;
	(void)use_default_colors();
	for (int i = 0; i < ROLE_COUNT; i++)
		(void)init_pair((short)(i + 1), COLORS >= 256 ? looks[i].fine : looks[i].plain, -1);
}

static void set_cell(const struct cell *cell, int row, int column, bool colours)
{
	wchar_t wide[CELL_BYTES];
	size_t n = mbstowcs(wide, cell->text, CELL_BYTES - 1);
	cchar_t character;
	unsigned int role = cell->role < ROLE_COUNT ? cell->role : ROLE_PLAIN;

	if (n == (size_t)-1 || n == 0)
		(void)wcscpy(wide, L" ");
	else
		wide[n < CCHARW_MAX ? n : CCHARW_MAX - 1] = L'\0';
	if (setcchar(&character, wide, colours ? looks[role].with : looks[role].without,
		     colours ? (short)(role + 1) : 0, NULL) == OK)
		(void)mvadd_wch(row, column, &character);
}

bool term_show(struct term *term, const struct canvas *canvas)
{
	bool colours = wants_colours();

	if (!send_pending(term))
		return false;
	for (int row = 0; row < canvas->height && row < term->height; row++) {
		for (int column = 0; column < canvas->width && column < term->width; column++) {
			const struct cell *cell = canvas_cell(canvas, row, column);

			if (cell->columns > 0)
				set_cell(cell, row, column, colours);
		}
	}
	(void)refresh();
	take_written(term);
	(void)send_pending(term);
	return true;
}

void term_redraw(struct term *term)
{
	(void)term;
	(void)clearok(curscr, TRUE);
}

/* Asked to stop, with the terminal as the shell left it; goes on here when it is continued. */
static void stop(struct term *term)
{
	sigset_t stops;

	give_back(term);
	(void)sigemptyset(&stops);
	(void)sigaddset(&stops, SIGTSTP);
	(void)signal(SIGTSTP, SIG_DFL);
	(void)raise(SIGTSTP);
	(void)sigprocmask(SIG_UNBLOCK, &stops, NULL); /* it happens here */
	(void)sigprocmask(SIG_BLOCK, &stops, NULL);
	take_over(term);
}

static void take_signals(struct term *term)
{
	struct signalfd_siginfo info;

	while (read(term->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGTSTP) {
			stop(term);
		} else if (info.ssi_signo == SIGWINCH) {
			read_size(term);
			(void)resizeterm(term->height, term->width);
			(void)clearok(curscr, TRUE);
		}
	}
}

static bool translate_mouse(struct term_event *ret_event)
{
	MEVENT mouse;

	if (getmouse(&mouse) != OK)
		return false;
	ret_event->row = mouse.y;
	ret_event->column = mouse.x;
	if (mouse.bstate & BUTTON4_PRESSED)
		ret_event->key = TERM_WHEEL_UP;
	else if (mouse.bstate & BUTTON5_PRESSED)
		ret_event->key = TERM_WHEEL_DOWN;
	else if (mouse.bstate & (BUTTON1_PRESSED | BUTTON1_CLICKED))
		ret_event->key = TERM_CLICK;
	else
		return false;
	return true;
}

/* A key as curses names it. False: one that means nothing here. */
static bool translate(bool special, wint_t code, struct term_event *ret_event)
{
	static const struct {
		wint_t curses;
		bool special;
		uint32_t key;
	} keys[] = {
		{KEY_UP, true, TERM_UP},	 {KEY_DOWN, true, TERM_DOWN},
		{KEY_LEFT, true, TERM_LEFT},	 {KEY_RIGHT, true, TERM_RIGHT},
		{KEY_PPAGE, true, TERM_PAGE_UP}, {KEY_NPAGE, true, TERM_PAGE_DOWN},
		{KEY_HOME, true, TERM_HOME},	 {KEY_END, true, TERM_END},
		{KEY_BTAB, true, TERM_BACK_TAB}, {KEY_BACKSPACE, true, TERM_BACKSPACE},
		{KEY_ENTER, true, TERM_ENTER},	 {'\t', false, TERM_TAB},
		{'\r', false, TERM_ENTER},	 {'\n', false, TERM_ENTER},
		{'\b', false, TERM_BACKSPACE},	 {0x7f, false, TERM_BACKSPACE},
		{0x1b, false, TERM_ESCAPE},
	};

	if (special && code == KEY_MOUSE)
		return translate_mouse(ret_event);
	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (keys[i].special != special || keys[i].curses != code)
			continue;
		ret_event->key = keys[i].key;
		return true;
	}
	ret_event->key = code;
	return !special;
}

/* True if the terminal itself is gone. */
static bool hung_up(const struct term *term)
{
	struct pollfd tty = {.fd = term->tty, .events = POLLIN};

	return poll(&tty, 1, 0) > 0 && tty.revents & (POLLHUP | POLLERR);
}

int term_event(struct term *term, struct term_event *ret_event)
{
	wint_t code;
	int r;

	take_signals(term);
	for (;;) {
		r = get_wch(&code);
		if (r == ERR)
			return hung_up(term) ? -EIO : 0;
		if (translate(r == KEY_CODE_YES, code, ret_event))
			return 1;
	}
}

static void take_errors(struct term *term)
{
	char bytes[512];
	ssize_t n;

	while ((n = read(term->errors[0], bytes, sizeof(bytes))) > 0) {
		size_t room = sizeof(term->said) - term->n_said;
		size_t more = (size_t)n < room ? (size_t)n : room;

		memcpy(term->said + term->n_said, bytes, more);
		term->n_said += more;
	}
}

const char *term_message(struct term *term)
{
	size_t end, start;
	char *line;

	take_errors(term);
	end = term->n_said;
	while (end > term->n_told && term->said[end - 1] == '\n')
		end--;
	if (end == term->n_told)
		return "";
	start = end;
	while (start > term->n_told && term->said[start - 1] != '\n')
		start--;
	line = strndup(term->said + start, end - start);
	free(term->message);
	term->message = line ? text_sanitize(line) : NULL;
	free(line);
	term->n_told = term->n_said;
	return term->message ? term->message : "";
}

bool term_utf8(const struct term *term)
{
	return term->utf8;
}

void term_size(const struct term *term, int *ret_height, int *ret_width)
{
	*ret_height = term->height;
	*ret_width = term->width;
}

void term_fds(const struct term *term, int ret_fds[TERM_FDS])
{
	ret_fds[0] = term->tty;
	ret_fds[1] = term->signals;
	ret_fds[2] = term->errors[0];
}

/* What is opened here has its owner from the start, so that term_close() takes it at any point. */
static int open_terminal(struct term *term)
{
	int memory, input;

	if (!isatty(STDOUT_FILENO) || !isatty(STDIN_FILENO))
		return -ENOTTY;
	/* By this name whoever may be, privileges given up or not, can open it. */
	term->tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (term->tty < 0 || tcgetattr(term->tty, &term->before) < 0)
		return -errno;
	term->during = term->before;
	term->during.c_lflag &= ~(tcflag_t)(ICANON | ECHO | IEXTEN);
	term->during.c_iflag &= ~(tcflag_t)(IXON | ICRNL);
	term->during.c_cc[VMIN] = 1;
	term->during.c_cc[VTIME] = 0;
	memory = memfd_create("screen", MFD_CLOEXEC);
	if (memory < 0)
		return -errno;
	term->out = fdopen(memory, "w+");
	if (!term->out) {
		(void)close(memory);
		return -errno;
	}
	input = fcntl(term->tty, F_DUPFD_CLOEXEC, 0);
	term->in = input >= 0 ? fdopen(input, "r") : NULL;
	return term->in ? 0 : -errno;
}

static int open_errors(struct term *term)
{
	if (pipe2(term->errors, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	term->errors_were = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	return term->errors_were < 0 ? -errno : 0;
}

static sigset_t own_signals(void)
{
	sigset_t signals;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTSTP);
	(void)sigaddset(&signals, SIGWINCH);
	return signals;
}

static int open_signals(struct term *term)
{
	sigset_t signals = own_signals();

	if (sigprocmask(SIG_BLOCK, &signals, NULL) < 0)
		return -errno;
	term->signals = signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK);
	return term->signals < 0 ? -errno : 0;
}

/* Curses cannot ask a file in memory for its size, and would let 24 lines scroll. */
static void tell_size(const struct term *term)
{
	struct winsize size;
	char number[16];

	if (ioctl(term->tty, TIOCGWINSZ, &size) < 0 || size.ws_row == 0 || size.ws_col == 0)
		return;
	(void)snprintf(number, sizeof(number), "%u", size.ws_row);
	(void)setenv("LINES", number, 1);
	(void)snprintf(number, sizeof(number), "%u", size.ws_col);
	(void)setenv("COLUMNS", number, 1);
}

static int open_screen(struct term *term)
{
	term->utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
	(void)set_escdelay(ESCAPE_MS);
	tell_size(term);
	term->screen = newterm(NULL, term->out, term->in);
	(void)unsetenv("LINES");
	(void)unsetenv("COLUMNS");
	if (!term->screen)
		return -ENOENT;
	set_colours();
	(void)nodelay(stdscr, TRUE);
	(void)keypad(stdscr, TRUE);
	(void)leaveok(stdscr, TRUE);
	(void)curs_set(0);
	(void)mousemask(BUTTON1_PRESSED | BUTTON1_CLICKED | BUTTON4_PRESSED | BUTTON5_PRESSED,
			NULL);
	(void)mouseinterval(0);
	collect_restore();
	return 0;
}

int term_open(struct term **ret_term)
{
	_cleanup_(term_closep) struct term *term = calloc(1, sizeof(*term));
	int r;

	if (!term)
		return -ENOMEM;
	term->tty = term->signals = term->errors[0] = term->errors[1] = term->errors_were = -1;
	r = open_terminal(term);
	if (r == 0)
		r = open_errors(term);
	if (r == 0)
		r = open_signals(term);
	if (r == 0)
		r = open_screen(term);
	if (r < 0)
		return r;
	watch_for_crash(term);
	take_over(term);
	*ret_term = TAKE(term);
	return 0;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		(void)close(fd);
}

static void close_stream(FILE *stream)
{
	if (stream)
		(void)fclose(stream);
}

void term_close(struct term *term)
{
	sigset_t signals = own_signals();

	if (!term)
		return;
	if (term->screen) {
		give_back(term);
		forget_crash();
		delscreen(term->screen);
		take_errors(term);
		(void)fwrite(term->said, 1, term->n_said, stderr);
		(void)fflush(stderr);
	}
	if (term->signals >= 0)
		(void)sigprocmask(SIG_UNBLOCK, &signals, NULL);
	close_fd(term->signals);
	close_fd(term->errors[0]);
	close_fd(term->errors[1]);
	close_fd(term->errors_were);
	close_stream(term->in);
	close_stream(term->out);
	close_fd(term->tty);
	free(term->pending);
	free(term->message);
	free(term);
}

void term_closep(struct term **term)
{
	term_close(*term);
}
