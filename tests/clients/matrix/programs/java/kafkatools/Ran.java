import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.lang.reflect.InaccessibleObjectException;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.common.utils.internals.Exit;

/**
 * What a command line tool of Kafka's printed that was run in this JVM, and its status.
 *
 * <p>Several run at once: each has a group of threads, by which it is known whose input and output
 * the standard streams are, and who it is that ends. One that goes on for too long is left behind.
 */
record Ran(int status, String output) {
  static final int GOES_ON = -1;

  /** Instead of the end of this JVM. */
  private static final class Ended extends RuntimeException {
    Ended(int status) {
      super("status " + status);
    }
  }

  private static final class Running extends ThreadGroup {
    final ByteArrayOutputStream output = new ByteArrayOutputStream();
    final InputStream input;
    final List<Runnable> hooks = new CopyOnWriteArrayList<>();
    final CompletableFuture<Ran> done = new CompletableFuture<>();

    Running(String name, String input) {
      super(name);
      this.input = new ByteArrayInputStream(input.getBytes(StandardCharsets.UTF_8));
    }

    /** Some tools take what is thrown at their end for a failure of theirs, and show it: too late. */
    void end(int status) {
      if (done.isDone()) return;
      hooks.forEach(Runnable::run);
      HOOKS.keySet().stream().filter(hook -> hook.getThreadGroup() == this).toList()
          .forEach(hook -> HOOKS.remove(hook).run());
      done.complete(new Ran(status, output.toString(StandardCharsets.UTF_8)));
    }

    void run(String name, String[] words) {
      try {
        Class.forName(name).getMethod("main", String[].class).invoke(null, (Object) words);
        end(0);
      } catch (InvocationTargetException error) {
        if (error.getCause() instanceof Ended) return;
        System.err.print("Exception in thread \"main\" ");
        error.getCause().printStackTrace();
        end(1);
      } catch (ReflectiveOperationException error) {
        done.completeExceptionally(error);
      }
    }

    @Override
    public void uncaughtException(Thread thread, Throwable error) {
      if (!(error instanceof Ended)) super.uncaughtException(thread, error);
    }
  }

  private static final InputStream IN = System.in;
  private static final Map<Thread, Thread> HOOKS = hooks();

  /** What some tools still say at the end of their JVM, where this one lets us see it. */
  @SuppressWarnings("unchecked")
  private static Map<Thread, Thread> hooks() {
    try {
      var hooks = Class.forName("java.lang.ApplicationShutdownHooks").getDeclaredField("hooks");
      hooks.setAccessible(true);
      return (Map<Thread, Thread>) hooks.get(null);
    } catch (ReflectiveOperationException | InaccessibleObjectException error) {
      return Map.of();
    }
  }

  static {
    Exit.Procedure ends = (status, message) -> {
      running().end(status);
      throw new Ended(status);
    };
    Exit.setExitProcedure(ends);
    Exit.setHaltProcedure(ends);
    Exit.setShutdownHookAdder((name, hook) -> running().hooks.add(hook));
    System.setOut(shared(System.out));
    System.setErr(shared(System.err));
    System.setIn(new InputStream() {
      private InputStream mine() {
        return running() == null ? IN : running().input;
      }

      @Override
      public int read() throws IOException {
        return mine().read();
      }

      @Override
      public int read(byte[] bytes, int from, int length) throws IOException {
        return mine().read(bytes, from, length);
      }

      @Override
      public int available() throws IOException {
        return mine().available();
      }
    });
  }

  /** A stream that is that of the tool who prints, or else this one. */
  private static PrintStream shared(PrintStream other) {
    return new PrintStream(new OutputStream() {
      @Override
      public void write(int one) {
        write(new byte[] {(byte) one}, 0, 1);
      }

      @Override
      public void write(byte[] bytes, int from, int length) {
        var running = running();
        if (running == null) {
          other.write(bytes, from, length);
          other.flush();
        } else {
          running.output.write(bytes, from, length);
        }
      }
    }, true, StandardCharsets.UTF_8);
  }

  private static Running running() {
    var group = Thread.currentThread().getThreadGroup();
    while (group != null && !(group instanceof Running)) group = group.getParent();
    return (Running) group;
  }

  /** Runs the `main` of this class, which is given this input; GOES_ON if that takes so long. */
  static Ran of(double seconds, String name, String input, String... words) throws Exception {
    var running = new Running(name, input);
    var thread = new Thread(running, () -> running.run(name, words), "main");
    thread.setDaemon(true);
    thread.start();
    try {
      return running.done.get((long) (seconds * 1000), TimeUnit.MILLISECONDS);
    } catch (TimeoutException error) {
      running.interrupt();
      return new Ran(GOES_ON, running.output.toString(StandardCharsets.UTF_8));
    }
  }
}
