import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.concurrent.Executors;

/**
 * Kafka's command line tools, beside one another in this JVM, which starts once for all of them.
 *
 * <p>A line of standard input is a number, the seconds that are waited at most, a tool's class, its
 * input and its words, each in Base64. The answer is the number, its status and its output.
 */
public class Commands {
  static String decoded(String word) {
    return new String(Base64.getDecoder().decode(word), StandardCharsets.UTF_8);
  }

  static String answer(String[] words) {
    Ran ran;
    try {
      ran = Ran.of(Double.parseDouble(words[1]), words[2], words[3], Arrays.copyOfRange(words, 4, words.length));
    } catch (Exception error) {
      ran = new Ran(-2, error.toString());
    }
    String output = Base64.getEncoder().encodeToString(ran.output().getBytes(StandardCharsets.UTF_8));
    return words[0] + " " + ran.status() + " " + output;
  }

  public static void main(String[] arguments) throws Exception {
    var lines = new BufferedReader(new InputStreamReader(System.in));
    var threads = Executors.newCachedThreadPool();
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String[] words = Arrays.stream(line.split(" ", -1)).map(Commands::decoded).toArray(String[]::new);
      threads.submit(() -> System.out.println(answer(words)));
    }
    System.exit(0);
  }
}
